"""`lossworks compare` on models of language: what it prints, writes and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks

from .conftest import REVIEWS, Command

TEXT = "so the cat sat on the mat, and the dog ran by the fen.\na dog may sit where a cat may run;\n" * 40
SMALL = [
    "--document-unit",
    "file",
    "--tokenizer",
    "chars",
    "--steps",
    "20",
    "--batch-tokens",
    "128",
    "--trials",
    "2",
    "--seeds",
    "2",
]
TINY = ["--model", "rnn:layers=1,dim=8"]
TWO = ["--loss", "cross_entropy", "--loss", "focal:gamma=2"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A short text."""
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{number} {TEXT[number : number + 90]}" for number in range(60)))
    return path


def test_compare(command: Command, text: Path) -> None:
    """Verdicts, a record, and a page that speaks of tokens and segments, and of no labels or calibration."""
    ended = command("compare", text, "--task", "lm", *TINY, *SMALL, *TWO, "--optimizer", "adamw", "--out", "run")
    assert ended.code == 0, ended.err
    assert "8 of 8" in ended.err
    assert "tokens (" in ended.err
    assert re.search(r"cross_entropy\n    \S+ \S+, the mean of \d seeds, with lr \S+ of \d trials?. The baseline", ended.out)
    assert "nats a token" in ended.out
    assert re.search(
        r"\nA 5-gram model counted on the same tokens has nats_per_token \S+\. .*: \S+ by \S+ \(\S+ to \S+\)", ended.out
    )
    record = json.loads(Path("run/run.json").read_text())
    assert (record["status"], record["task"], record["result"]["metric"]) == ("finished", "lm", "nats_per_token")
    page = Path("run/report.html").read_text("utf-8")
    for said in ("Tokens seen", "test segments", "equally many characters", "Texts to read"):
        assert said in page
    for said in ("Reliability", " calibrated by", "Label by label", "truth <strong>", "Texts seen", "test row"):
        assert said not in page
    assert lossworks.Comparison.load("run").table()["verdict"].to_list()[0] == "baseline"
    assert command("report", "run").code == 0


def test_stdin_and_jobs(command: Command, text: Path, workers_here: Callable[..., None]) -> None:
    """Text that comes by stdin is had by every process, and by bits a byte arms are judged as well."""
    workers_here()
    flags = [*TINY, *SMALL, *TWO, "--metric", "bits_per_byte", "--json", "-q"]
    alone = command("compare", text, *flags, "--out", "a").json
    shared = command("compare", "-", *flags, "--jobs", "2", "--out", "b", stdin=text.read_bytes()).json
    values = [[arm["value"] for arm in found["result"]["arms"]] for found in (alone, shared)]
    assert values[0] == values[1]
    assert shared["result"]["unit"] == "bits a byte"


def test_toml(command: Command, text: Path) -> None:
    """Arms of several families listed in a file, each with what it has of its own."""
    Path("arms.toml").write_text(
        'task = "lm"\ntexts = "file"\ntokens = "chars"\nsteps = 10\nbatch_tokens = 128\n[[arms]]\nmodel = "ngram:order=2"\n'
        '[[arms]]\nmodel = "rnn:layers=1,dim=8"\nclip = 0.5\n'
    )
    ended = command("compare", text, "--config", "arms.toml", "--trials", "0", "--seeds", "1", "--json", "-q", "--out", "run")
    assert ended.code == 0, ended.err
    arms = ended.json["result"]["arms"]
    assert [(arm["settings"]["model"], arm["settings"]["clip"]) for arm in arms][1] == ("rnn:layers=1,dim=8", 0.5)
    assert arms[0]["name"] == "ngram:order=2"


WRONG = [
    (
        [*TINY, *SMALL, *TWO, "--metric", "nll"],
        "the metric 'nll' does not fit the task lm. Metrics that do: nats_per_token, bits",
    ),
    ([*TINY, *SMALL, "--loss", "cross_entropy", "--loss", "huber"], "the loss 'huber' is not for the task lm"),
    ([*TINY, *SMALL, "--loss", "focal", "--loss", "focal:gamma=2"], "are the same. Leave one out."),
    ([*TINY, *TWO], "say how long every arm is trained: --steps 500"),
    ([*TINY, *SMALL, *TWO, "--epochs", "2"], "one of them."),
    ([*TINY, *SMALL, "--optimizer", "adam", "--optimizer", "lbfgs"], "is a pass over the whole text"),
    ([*SMALL, *TWO, "--model", "transformer:layers=1,context=256"], "the context is 256 tokens, and a step has 128"),
    (["--model", "ngram", *TWO], "is for families trained by gradients; ngram is counted"),
    ([*TINY, *SMALL, *TWO, "--tune", "model.dimm=4:8"], "unknown parameter to tune: 'model.dimm'"),
    ([*TINY, *SMALL, *TWO, "--class-weight", "balanced"], "unknown part of an arm: 'class_weight'"),
    ([*TINY, *SMALL, *TWO, "--batch-size", "4"], "--batch-size is for classifiers"),
    ([*TINY, *SMALL, *TWO, "--weight", "w"], "--weight is for texts with labels"),
]


@pytest.mark.parametrize(("flags", "said"), WRONG)
def test_refused(command: Command, text: Path, flags: list[str], said: str) -> None:
    """Each wrong call ends with code 2 before anything is trained, says what is wrong, and leaves nothing."""
    ended = command("compare", text, *flags, "--out", "run")
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert not Path("run").exists()


def test_minutes_of_a_training(command: Command, text: Path) -> None:
    """How many steps minutes hold differs from run to run, so settings that name them are refused."""
    Path("arms.toml").write_text('task = "lm"\nmodel = "rnn:layers=1,dim=8"\nminutes = 1\n')
    ended = command("compare", text, "--config", "arms.toml", *TWO, "--out", "run")
    assert (ended.code, "Compare with --steps or --epochs" in ended.err) == (2, True)


def test_data_refused(command: Command) -> None:
    """Labelled texts are compared on as text only where that is said; text too short to hold any out is refused."""
    ended = command("compare", REVIEWS, *TINY, "--steps", "5", *TWO, "--out", "run")
    assert (ended.code, "has labels" in ended.err) == (2, True), ended.err
    Path("short.txt").write_text("too short\n")
    ended = command("compare", "short.txt", *TINY, "--steps", "5", *TWO, "--out", "run")
    assert (ended.code, "texts are held out, and compare judges by them" in ended.err) == (2, True), ended.err
