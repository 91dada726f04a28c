"""Start-up: what needs no PyTorch does not wait for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lossworks.cli import listing
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


@pytest.mark.parametrize("kind", listing._KINDS)
def test_source_says_what_members_say(kind: str) -> None:
    """Names, summaries, keys with defaults in their order, and sources are those of the imported classes, for every member."""
    folder, registry = listing._KINDS[kind]
    read, imported = outline.members(registry, FOLDER / folder), listing._imported(kind)
    assert len(imported) > 2
    assert read == imported
    assert [list(member["keys"]) for member in read] == [list(member["keys"]) for member in imported]


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
    expected = listing._members("balances")

    def unread(registry: str, folder: Path) -> list[dict[str, Any]]:
        raise outline.Unread("no source")

    monkeypatch.setattr(outline, "members", unread)
    assert listing._members("balances") == expected


@pytest.mark.parametrize("arguments", [["list"], ["list", "losses"], ["--help"], ["fit", "--help"], ["--version"]], ids=" ".join)
def test_without_pytorch(arguments: list[str]) -> None:
    """These import neither PyTorch nor what else takes long."""
    program = (
        "import sys; from lossworks.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numba', 'scipy', 'numpy', 'rich.console'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_answers_wait_for_nothing_else(fitted: Path, command: Command, tmp_path: Path) -> None:
    """Who asks a linear or an n-gram model loads neither PyTorch, pages, explanations and comparisons, nor what reads files; and
    verbs stay functions.
    """
    (tmp_path / "texts.txt").write_text("good news\nbad news\n" * 20)
    lm, labels = tmp_path / "lm", tmp_path / "labels"
    assert command("fit", tmp_path / "texts.txt", "--model", "ngram:order=2", "--out", lm, "--quiet").code == 0
    assert command("fit", REVIEWS, "--model", "ngram:order=2", "--out", labels, "--quiet").code == 0
    asked = [["predict", fitted, "good"], ["predict", labels, "good"], ["score", lm, "good"], ["next", lm, "a"]]
    program = (
        "import json, sys; from lossworks.cli import main\n"
        "for sys.argv in [['lossworks', *given] for given in json.loads(sys.argv[1])]:\n"
        "    try: main()\n"
        "    except SystemExit as ended: assert not ended.code\n"
        "idle = 'lossworks.report lossworks.attribution lossworks.evidence jinja2 plotly torch polars'.split()\n"
        "assert not set(idle) & set(sys.modules), set(idle) & set(sys.modules)\n"
        "import lossworks.api.fit, lossworks.api as api\n"
        "assert lossworks.fit is api.fit is sys.modules['lossworks.api.fit'].fit\n"
        "assert all(callable(getattr(api, name)) or name == 'languages' for name in api.__all__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(asked, default=str)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0].split("\t")[2] == "good"
