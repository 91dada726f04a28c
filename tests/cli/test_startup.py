"""Start-up: what needs no PyTorch does not wait for it."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossworks.cli import listing, topics
from lossworks.cli.headings import HEADINGS
from lossworks.core import outline

from .conftest import REVIEWS, Command

FOLDER = Path(listing.__file__).parents[1]
MEMBER = '''
@things.add("{name}", source="a " "b")
@dataclass(frozen=True)
class {cls}({base}):
    """First line.

    Second.
    """

    {body}
'''


@pytest.mark.parametrize("kind", listing.KINDS)
def test_source_says_what_members_say(kind: str) -> None:
    """Names, summaries, keys with defaults in their order, and sources are those of the imported classes, for every member."""
    folder, registry = listing.KINDS[kind]
    read, imported = outline.members(registry, FOLDER / folder), listing._imported(kind)
    assert len(imported) > 2
    assert read == imported
    assert [list(member["keys"]) for member in read] == [list(member["keys"]) for member in imported]
    assert outline.names(registry, FOLDER / folder) == [member["name"] for member in imported]


def test_inherited_fields(tmp_path: Path) -> None:
    """A field keeps its base's place and takes the new default; what is of the class, or of no dataclass, is no field."""
    (tmp_path / "base.py").write_text(
        "class Root:\n    x: int = 1\n\n@dataclass\nclass Base(Root):\n    b: int\n    a: float = -1e-3\n"
    )
    body = 'c: ClassVar[int] = 3\n    d: Length = Length("5%")\n    b: tuple[float, ...] = (0.5, 1)'
    (tmp_path / "one.py").write_text("from .base import Base\n" + MEMBER.format(name="one", cls="One", base="Base", body=body))
    assert outline.members("things", tmp_path) == [
        {"name": "one", "summary": "First line.", "keys": {"b": [0.5, 1], "a": -0.001, "d": "5%"}, "source": "a b"}
    ]
    assert list(outline.members("things", tmp_path)[0]["keys"]) == ["b", "a", "d"]


@pytest.mark.parametrize(
    ("base", "body", "why"),
    [
        ("ABC", "a: int = sum([1])", "no literal"),
        ("ABC", "a: int = LATER + 1", "does not say what LATER is"),
        ("ABC", "a: int", "without a default"),
        ("Elsewhere", "a: int = 1", "does not say what Elsewhere is"),
        ("ABC", "a: int = = 1", "invalid syntax"),
    ],
)
def test_what_must_be_run(tmp_path: Path, base: str, body: str, why: str) -> None:
    """Is refused, never guessed."""
    (tmp_path / "one.py").write_text(MEMBER.format(name="one", cls="One", base=base, body=body))
    with pytest.raises(outline.Unread, match=why):
        outline.members("things", tmp_path)


def test_unread_members_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the source does not say it, or there is none, the list is the same."""
    expected = listing.members("balances")

    def unread(registry: str, folder: Path) -> list[dict[str, Any]]:
        raise outline.Unread("no source")

    monkeypatch.setattr(outline, "members", unread)
    assert listing.members("balances") == expected


@pytest.mark.parametrize(
    "line",
    ["list", "list losses", "--help", "fit --help", "--version", "help data", "TAB fit a.csv --loss foc", "TAB fit --"],
)
def test_without_pytorch(line: str) -> None:
    """These import neither PyTorch nor what else takes long; nor does a shell that asks what may follow."""
    program = (
        "import sys; sys.argv[0] = 'lossworks'; from lossworks.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numba', 'scipy', 'numpy', 'pydantic', 'rich.console'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    tab, env = line.removeprefix("TAB "), dict(os.environ)
    words = line.split() if tab == line else []
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False,
        env=env if words else env | asked_by("bash", tab),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("shell", "line", "offered"),
    [
        ("bash", "fit a.csv --loss foc", ["focal"]),
        ("zsh", "fit a.csv --model bag:di", ["""_arguments '*: :(("bag\\\\:dim="))'"""]),
        ("fish", "compare a.csv --optimizer sophi", ["sophia"]),
        ("bash", "fit a.csv --format f", ["fasttext"]),
        ("bash", "compare a.csv --metric bits", ["bits_per_byte"]),
        ("bash", "predict ru", ["runs/one", "runs/two"]),
        ("bash", "export runs/o", ["runs/one"]),
        ("bash", "list opt", ["optimizers"]),
        ("bash", "help exit", ["exit-codes"]),
        ("bash", "fit --optim", ["--optimizer"]),
        ("bash", "lands", ["landscape"]),
        ("bash", "fit rev", [""]),
    ],
)
def test_completion(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: str, line: str, offered: list[str]
) -> None:
    """What begins so is offered, of names, keys and runs; where nothing is, the shell offers files."""
    for run in ("one", "two"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "run.json").touch()
    for name, value in asked_by(shell, line).items():
        monkeypatch.setenv(name, value)
    assert command().out.rstrip("\n").split("\n") == offered


def asked_by(shell: str, line: str) -> dict[str, str]:
    """The environment in which a shell asks what may follow."""
    line = f"lossworks {line}"
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))} if shell == "bash" else {"_TYPER_COMPLETE_ARGS": line}
    return {**words, "_LOSSWORKS_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def test_help_by_topic(command: Command) -> None:
    """Each topic that is listed says something, in the package's own words; a verb's is that of --help; others are refused."""
    listed = command("help").out
    for topic in topics.TOPICS:
        assert f"\n  {topic} " in listed
        assert len(command("help", topic).out) > 300
    assert "exit code 3" in command("help", "exit-codes").out
    assert command("help", "losses").out == command("list", "losses").out
    assert command("help", "fit").out == command("fit", "--help").out
    assert "Did you mean 'reading'" in command("help", "readin").err


@pytest.mark.parametrize("verb", HEADINGS)
def test_headings(verb: str, command: Command) -> None:
    """Every flag stands once, and each heading before a flag that there is."""
    shown = command(verb, "--help").out
    signature = importlib.import_module(f"lossworks.cli.{verb}").command
    assert HEADINGS[verb].keys() <= inspect.signature(signature).parameters.keys()
    for title in HEADINGS[verb].values():
        assert f"\n{title}:\n  --" in shown
    flags = re.findall(r"^  (?:-\w, )?(--[\w-]+)", shown, re.M)
    assert len(flags) == len(set(flags)) > 40


def test_answers_wait_for_nothing_else(fitted: Path, command: Command, tmp_path: Path) -> None:
    """Who asks a linear or an n-gram model loads neither PyTorch, Numba (once its kernels are compiled), pages, explanations and
    comparisons, nor what reads files; and verbs stay functions.
    """
    (tmp_path / "texts.txt").write_text("good news\nbad news\n" * 20)
    lm, labels = tmp_path / "lm", tmp_path / "labels"
    assert command("fit", tmp_path / "texts.txt", "--model", "ngram:order=2", "--out", lm, "--quiet").code == 0
    assert command("fit", REVIEWS, "--model", "ngram:order=2", "--out", labels, "--quiet").code == 0
    asked = [["predict", fitted, "good"], ["predict", labels, "good"], ["score", lm, "good"], ["next", lm, "a"]]
    for given in asked:
        assert command(*given).code == 0
    program = (
        "import json, sys; from lossworks.cli import main\n"
        "for sys.argv in [['lossworks', *given] for given in json.loads(sys.argv[1])]:\n"
        "    try: main()\n"
        "    except SystemExit as ended: assert not ended.code\n"
        "idle = 'lossworks.report lossworks.attribution lossworks.evidence'.split()\n"
        "idle += 'jinja2 plotly torch polars pydantic numba scipy'.split()\n"
        "assert not set(idle) & set(sys.modules), set(idle) & set(sys.modules)\n"
        "import lossworks.api.fit, lossworks.api as api\n"
        "assert lossworks.fit is api.fit is sys.modules['lossworks.api.fit'].fit\n"
        "assert all(callable(getattr(api, name)) or name == 'languages' for name in api.__all__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(asked, default=str)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[1].split("\t")[2] == "good"


def test_a_fit_of_the_default_model_imports_little(command: Command, tmp_path: Path) -> None:
    """Neither PyTorch, Numba, SciPy nor Pydantic, once its loss has been recorded and its code compiled, which the first fit of
    all does; what it leaves is what that left, and can be asked.
    """
    program = (
        "import sys; from lossworks.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "slow = {'torch', 'numba', 'scipy', 'pydantic', 'polars', 'pyarrow'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    ends = []
    for out in (tmp_path / "first", tmp_path / "second"):
        done = subprocess.run(
            [sys.executable, "-c", program if ends else program.partition("slow")[0], "fit", REVIEWS, "--out", out, "--quiet"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        ends.append((out / "model.safetensors").read_bytes())
    assert ends[0] == ends[1]
    assert command("predict", tmp_path / "second", "I love this product!").out.splitlines()[1].split("\t")[2:] != []
