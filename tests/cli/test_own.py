"""Losses and the like in a user's own file: named by it, kept with the run, and never run unless it is named."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks
from lossworks import losses, penalties
from lossworks.api.replayed import settings_of
from lossworks.catalog.member import REGISTRIES
from lossworks.core import own
from lossworks.core.errors import UnknownName, UsageError
from lossworks.models import models
from lossworks.record import Run
from lossworks.tokens import tokenizers

from .conftest import REVIEWS, SMALL, Command
from .test_stopping import _sending

MEMBERS = '''
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from lossworks.losses.base import CategoricalLoss, losses
from lossworks.penalties.base import penalties
from lossworks.penalties.l1 import L1

with Path("ran").open("a") as file:
    file.write(".")

@losses.add("sharpened", source="an example")
@dataclass(frozen=True, slots=True, kw_only=True)
class Sharpened(CategoricalLoss):
    """(-log p)^power, with p the target's probability.

    Domain: power > 0.  Limit: power = 1 is cross-entropy.
    """

    power: float = POWER

    def values(self, scores):
        return (-scores.logp).clamp_min(1e-12) ** self.power

@penalties.add("half_l1", source="an example")
class HalfL1(L1):
    """As l1."""
'''
SPEC = "sharpened:power=1.2"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``forget()``: what files have registered is gone, as in a new process; so it is after each test."""
    ours = {registry: {entry.name: entry for entry in registry} for registry in REGISTRIES}

    def forgetting() -> None:
        for registry, entries in ours.items():
            monkeypatch.setattr(registry, "_entries", dict(entries))
        monkeypatch.setattr(own, "_FILES", {})

    forgetting()
    return forgetting


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The file."""
    path = tmp_path / "my-own.py"
    path.write_text(MEMBERS.replace("POWER", "1.5"))
    return path


def ran() -> int:
    """How often such a file was run."""
    return len(Path("ran").read_text()) if Path("ran").exists() else 0


def test_named_by_a_file(command: Command, mine: Path, forget: Callable[[], None]) -> None:
    """Any kind of member is; the record has plain specs, the file's place, digest and a copy; answering runs no copy."""
    fit = ("fit", REVIEWS, *SMALL, "-q", "--out")
    ended = command(*fit, "run", "--loss", f"0.5*my-own.py:{SPEC}+cross_entropy", "--penalty", "my-own.py:half_l1")
    assert ended.code == 0, ended.err
    record = json.loads(Path("run/run.json").read_text())
    assert record["config"]["loss"] == f"0.5*{SPEC}+cross_entropy"
    assert record["given"]["penalty"] == "half_l1"
    (kept,) = record["own"]
    assert (kept["path"], kept["kept"], kept["names"]) == (str(mine), "own/my-own.py", ["half_l1", "sharpened"])
    assert Path("run/own/my-own.py").read_text() == mine.read_text()
    assert ran() == 1  # twice named, once run
    command(*fit, "plain", "--loss", "cross_entropy")
    assert "own" not in json.loads(Path("plain/run.json").read_text())
    assert not Path("plain/own").exists()
    command(*fit, "there", "--loss", SPEC)  # in the process that has run it the name alone will do
    assert Path("there/own/my-own.py").exists()
    mine.unlink()
    forget()
    for verb in (("predict", "run", "a text"), ("evaluate", "run"), ("export", "run", "small", "--quantize")):
        assert command(*verb).code == 0
    assert ran() == 1
    assert "power = 1 is cross-entropy" in command("show", "run/own/my-own.py:sharpened").out


def test_resumed(command: Command, monkeypatch: pytest.MonkeyPatch, mine: Path, forget: Callable[[], None]) -> None:
    """Where the file has changed or moved, resuming says which copy to name, and with it ends in the same bits."""
    fit = ("fit", REVIEWS, *SMALL, "--epochs", "4", "-q", "--out")
    command(*fit, "whole", "--loss", f"my-own.py:{SPEC}")
    with monkeypatch.context() as patch:
        _sending(patch, 2, "valid")
        assert command(*fit, "run", "--loss", f"my-own.py:{SPEC}").code == 130
    mine.write_text(MEMBERS.replace("POWER", "2.0"))
    ended = command(*fit, "run", "--loss", f"my-own.py:{SPEC}", "--resume")
    assert (ended.code, "run/own/my-own.py" in ended.err) == (2, True)
    mine.unlink()
    forget()
    assert "RUN/own/my-own.py" in command(*fit, "run", "--loss", f"my-own.py:{SPEC}", "--resume").err
    assert command(*fit, "run", "--loss", f"run/own/my-own.py:{SPEC}", "--resume").code == 0
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_a_record_runs_nothing(command: Command, monkeypatch: pytest.MonkeyPatch, mine: Path, forget: Callable[[], None]) -> None:
    """To train again by a record needs the code: it is refused until the user has named that very file; a record cannot."""
    command("fit", REVIEWS, *SMALL, "-q", "--out", "run", "--loss", f"my-own.py:{SPEC}")
    run = Run("run")
    forget()
    for trusted in (None, "elsewhere.py", "other.py"):
        Path("other.py").write_text(mine.read_text() + "# changed\n")
        if trusted:
            monkeypatch.setenv("LOSSWORKS_OWN", trusted)
        with pytest.raises(UsageError, match=r"LOSSWORKS_OWN=run/own/my-own\.py before the command"):
            settings_of(run, run.summary, None)
        with pytest.raises(UsageError, match=r"LOSSWORKS_OWN=run/own/my-own\.py"):
            lossworks.fit(REVIEWS, start="run", epochs=1)
    assert ran() == 1
    damaged = json.loads(json.dumps(run.summary).replace(SPEC, f"run/own/my-own.py:{SPEC}"))
    Path("run/run.json").write_text(json.dumps(damaged))
    for again in (lambda: settings_of(run, run.summary, None), lambda: lossworks.fit(REVIEWS, start="run", epochs=1)):
        with pytest.raises(UsageError, match="Do not trust it"):
            again()
    assert ran() == 1
    monkeypatch.setenv("LOSSWORKS_OWN", "run/own/my-own.py")
    Path("run/run.json").write_text(json.dumps({**damaged, "config": run.summary["config"] | {"loss": SPEC}}))
    assert settings_of(run, run.summary, None).loss == SPEC
    assert ran() == 2


def test_compared(command: Command, workers_here: Callable[..., None], mine: Path, forget: Callable[[], None]) -> None:
    """Workers of a comparison, which begin with nothing, run the file too; it is kept there, and may not change meanwhile."""
    workers_here(forget)
    call = ("compare", REVIEWS, "--model", "linear:bits=12,chars=3", "--epochs", 1, "--trials", 0, "--seeds", 1, "--jobs", 2)
    ended = command(*call, "--loss", "cross_entropy", "--loss", f"my-own.py:{SPEC}", "--out", "run", "--json")
    assert ended.code == 0, ended.err
    assert [arm["name"] for arm in ended.json["result"]["arms"]] == ["cross_entropy", SPEC]
    assert ran() == 3
    assert Path("run/own/my-own.py").read_text() == mine.read_text()
    mine.write_text(MEMBERS.replace("POWER", "2.0"))
    with pytest.raises(UsageError, match="has changed while it was in use"):
        own.run_again([(mine, ended.json["own"][0]["xxh3"])])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read other.py: No such file"),
        ("import numpy\n\n1 / 0\n", "other.py, line 3: ZeroDivisionError: division by zero"),
        ("a = 1\nb = = 2\n", "other.py, line 2: SyntaxError: invalid syntax"),
        (
            "def sharpened(logits, labels): ...\n",
            "no loss 'sharpened'. It defines sharpened, which is no class, as a loss is: docs/guides/own-loss.md has an example.",
        ),
        ("a = 1\n", "registers no loss 'sharpened'. Register it with @losses.add('sharpened', source=…)."),
        ("import sys\n\nsys.exit(3)\n", "other.py, line 3: SystemExit: 3"),
        ("import json\ncompile('b = = 2', 'elsewhere', 'exec')\n", "other.py, line 2: SyntaxError: invalid syntax"),
        (MEMBERS.replace("POWER", "1.5").replace('"sharpened"', '"sharp"'), "no loss 'sharpened'. It has sharp."),
        (
            'from lossworks.losses.base import losses\n@losses.add("sharpened", source="")\ndef mine(logits, labels): ...\n',
            "other.py, line 2: UsageError: a loss is a class derived from Loss, and mine is none. docs/guides/own-loss.md has",
        ),
        (MEMBERS.replace("POWER", "1.5").replace('"sharpened"', '"focal"'), "two members of lossworks.losses are named 'focal'"),
    ],
)
def test_bad_files(command: Command, content: str | None, said: str) -> None:
    """What is wrong is said with its line; a built-in member is not replaced."""
    if content is not None:
        Path("other.py").write_text(content)
    ended = command("fit", REVIEWS, *SMALL, "--loss", "other.py:sharpened", "--out", "run")
    assert ended.code == 2
    assert said in ended.err
    assert not Path("run").exists()
    assert not [name for name in sys.modules if name.startswith("lossworks_own_other") and content is None]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("my-own.py", "which loss of it is meant is not said: my-own.py:sharpened. It has sharpened."),
        ("0.5*my-own.py+cross_entropy", "my-own.py:sharpened. It has sharpened."),
        ("my-own.py:Sharpened", "my-own.py registers Sharpened as 'sharpened': my-own.py:sharpened."),
        ("my-own.py:CategoricalLoss", "It defines CategoricalLoss, and registers but sharpened: put @losses.add("),
        ("my-own.py:half_l1", "my-own.py registers no loss 'half_l1'. It has sharpened."),
        ("sharper", "z_loss. One in a file of yours is FILE.py:sharper."),
    ],
)
def test_names_that_are_not_registered(command: Command, mine: Path, spec: str, said: str) -> None:
    """What to write is said: of a file alone, a class by its own name, what is not registered, a name without its file."""
    ended = command("fit", REVIEWS, *SMALL, "--loss", spec, "--out", "run")
    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_a_fault_while_it_is_used(
    command: Command, workers_here: Callable[..., None], mine: Path, forget: Callable[[], None]
) -> None:
    """What a loss does wrong while it is used is said with its line in the file, in training and in evaluate; a comparison's
    workers send that.
    """
    line = 1 + mine.read_text().splitlines().index("        return (-scores.logp).clamp_min(1e-12) ** self.power")
    mine.write_text(mine.read_text().replace("clamp_min(1e-12)", "nothing()"))
    assert command("fit", REVIEWS, *SMALL, "-q", "--out", "run").code == 0
    for call in (("fit", REVIEWS, *SMALL, "-q", "--out", "other"), ("evaluate", "run")):
        ended = command(*call, "--loss", f"my-own.py:{SPEC}")
        assert ended.code == 2
        assert ended.err == f"lossworks: my-own.py, line {line}: AttributeError: 'Tensor' object has no attribute 'nothing'\n"
    mine.write_text(mine.read_text().replace("nothing()", "pow(open('/nowhere').read())"))
    ended = command("evaluate", "run", "--loss", f"my-own.py:{SPEC}")
    assert ended.err.startswith(f"lossworks: my-own.py, line {line}: FileNotFoundError"), ended.err
    mine.write_text(mine.read_text().replace("pow(open('/nowhere').read())", "nothing()"))
    workers_here(forget)
    arms = [{"loss": "cross_entropy"}, {"loss": f"my-own.py:{SPEC}"}]
    with pytest.raises(UsageError, match=rf"my-own\.py, line {line}: AttributeError: 'Tensor' object has no attribute"):
        lossworks.compare(REVIEWS, arms=arms, model="linear:bits=12,chars=3", epochs=1, trials=0, seeds=1, jobs=2, out="all")


@pytest.mark.parametrize(
    ("instead", "shape"),
    [("scores.logits[:, :1] * self.power", r"\(\d+, 1\)"), ("-scores.logp.mean() * self.power", r"\(\)")],
)
def test_other_than_one_value_a_position(command: Command, mine: Path, instead: str, shape: str) -> None:
    """It is refused in training, within a sum too, and in evaluate: a mean or a column would broadcast."""
    mine.write_text(mine.read_text().replace("(-scores.logp).clamp_min(1e-12) ** self.power", instead))
    assert command("fit", REVIEWS, *SMALL, "-q", "--out", "run").code == 0
    for spec in (f"my-own.py:{SPEC}", f"cross_entropy+my-own.py:{SPEC}"):
        for call in (("fit", REVIEWS, *SMALL, "-q", "--out", f"other-{spec[0]}"), ("evaluate", "run")):
            ended = command(*call, "--loss", spec)
            said = rf"Sharpened\.values gives a tensor of shape {shape}; wanted \(\d+,\), one value a position"
            assert (ended.code, bool(re.search(said, ended.err))) == (2, True), ended.err


def test_a_model_is_no_file_to_run(mine: Path) -> None:
    """Where no member is asked for, a path that ends in .py is a path; so a model that a run's files name runs nothing."""
    for spec in ("hf:my-own.py", "my-own.py:rnn"):
        assert own.without_files(spec, "model") == spec
    for registry in (models, tokenizers):
        with pytest.raises(UnknownName):
            registry.build("my-own.py:half_l1")
    assert ran() == 0


def test_in_a_folder_with_a_space(command: Command, mine: Path, forget: Callable[[], None]) -> None:
    """Such a path is one path, in a sum too; and evaluate of the run takes the loss, or says how to name it."""
    folder = mine.parent / "my losses"
    folder.mkdir()
    mine.rename(folder / "mine.py")
    ended = command("fit", REVIEWS, *SMALL, "-q", "--out", "run", "--loss", f"cross_entropy + 0.5*my losses/mine.py:{SPEC}")
    assert ended.code == 0, ended.err
    forget()
    ended = command("evaluate", "run", "--loss", SPEC)
    assert (ended.code, "--loss run/own/mine.py:sharpened:power=1.2" in ended.err) == (2, True), ended.err
    record = Path("run/run.json").read_text()
    Path("run/run.json").write_text(record.replace("own/mine.py", "../elsewhere/mine.py"))  # a record leads nowhere else
    assert "--loss run/own/mine.py:sharpened:power=1.2" in command("evaluate", "run", "--loss", SPEC).err
    Path("run/run.json").write_text(record)
    assert ran() == 1
    told = command("evaluate", "run", "--loss", f"run/own/mine.py:{SPEC}", "--json")
    assert told.json["losses"]["metrics"][SPEC]["value"] > 0


def test_changed_in_a_notebook(mine: Path, command: Command) -> None:
    """A file that has changed takes its own place; another one of the same names does not."""
    assert losses.build("my-own.py:sharpened").power == 1.5  # type: ignore[attr-defined]
    mine.write_text(MEMBERS.replace("POWER", "2.0"))
    assert losses.build("my-own.py:sharpened").power == 2.0  # type: ignore[attr-defined]
    assert penalties.render(penalties.build("my-own.py:half_l1")) == "half_l1"
    Path("other.py").write_text(MEMBERS.replace("POWER", "3.0"))
    with pytest.raises(UsageError, match=r"two members of lossworks\.losses are named 'sharpened'"):
        losses.build("other.py:sharpened")
