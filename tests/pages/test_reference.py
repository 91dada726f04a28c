"""The reference is made from the package and says all of it; links of pages that Sphinx does not build lead somewhere."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import docstrings
import reference

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
CHEAP = [kind for kind in reference.KINDS if kind != "optimizer"]


@pytest.mark.parametrize("kind", CHEAP)
def test_members(kind: str) -> None:
    """Each member has a section with its formula, its source and its defaults; losses, penalties, schedules and risks a curve."""
    sections = re.split(r"^## ", reference.members(kind), flags=re.M)[1:]
    entries = list(reference.KINDS[kind])
    assert [section.split("\n", 1)[0] for section in sections] == [entry.name for entry in entries]
    for entry, section in zip(entries, sections, strict=True):
        assert f"| Source | {reference.plain(entry.source)} |" in section
        assert reference.plain(entry.summary)[:20] in section
        assert ("<svg" in section) == (kind in ("loss", "penalty", "schedule", "risk")), entry.name
        assert "nan" not in "".join(re.findall(r' d="([^"]*)"', section)), entry.name


def test_descents() -> None:
    """An optimizer's three descents, its own line and two for comparison."""
    section = reference._member(reference.KINDS["optimizer"], "sgd")
    assert section.count("<svg") == 3
    assert section.count('<path class="line-') == 9


def test_verbs() -> None:
    """Every verb and every flag of the command is there."""
    page = reference.verbs()
    root: Any = reference.typer.main.get_command(reference.command_line())
    for words, verb in reference.walk("lossworks", root):
        section = page.partition(f"## {words}\n")[2].partition("\n## ")[0]
        for parameter in verb.params:
            assert all(option in section for option in parameter.opts if option.startswith("-")), (words, parameter.name)


def test_public() -> None:
    """Whatever a package exports that is a class or a function of ours stands in one place, and no other."""
    pages = [reference.public("lossworks"), reference.public("")]
    listed = re.findall(r"^\.\. auto(?:class|function):: (\S+)$", "\n".join(pages), re.M)
    things = [getattr(importlib.import_module(place.rpartition(".")[0]), place.rpartition(".")[2]) for place in listed]
    assert len(set(things)) == len(things)
    for package in ("lossworks", "lossworks.scores", "lossworks.losses", "lossworks.optim"):
        module = importlib.import_module(package)
        named = [getattr(module, name) for name in module.__all__]
        assert {thing for thing in named if isinstance(thing, type)} <= set(things)


def test_every_kind_has_a_page() -> None:
    """No registry is left out, and a mark that names none is an error."""
    marks = [found for page in REFERENCE.glob("*.md") for found in reference.MARK.findall(page.read_text("utf-8"))]
    assert sorted(kind for what, kind in marks if what == "members") == sorted(reference.KINDS)
    assert {what for what, _ in marks} == set(reference.FILLERS)
    with pytest.raises(KeyError):
        reference.filled("<!-- members:lossy -->")


def test_docstrings_become_lists() -> None:
    """Fields become items with their continuations; formulas keep their stars, and code stays as it is."""
    lines = ["What it is: a * b.", "", "one, two: text", "    goes on", "three: ``a*b``", "After."]
    told = ["What it is: a \\* b.", "", "", "- **one, two**: text", "  goes on", "- **three**: ``a*b``", "", "After."]
    assert docstrings.readable(lines) == told
    assert reference.plain("a_b * [c] `d_e`") == "a\\_b \\* \\[c\\] `d_e`"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_links(page: str) -> None:
    """What a page beside the site links to is there (within the site, Sphinx sees to it)."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text("utf-8")):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_files_of_the_architecture() -> None:
    """Every file that it names is there, in the folder that it says."""
    files = [
        "/" + path.relative_to(ROOT).as_posix()
        for folder in ("src", "tests", "docs", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text("utf-8")))
    assert len(named) > 50
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in files)] == []
