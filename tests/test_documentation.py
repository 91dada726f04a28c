"""The documentation agrees with the command line and the packages: every command parses, every Python block's imports resolve."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from lossworks.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def blocks(page: Path) -> list[tuple[str, str]]:
    """The language and the text of each fenced block."""
    return [(found[1], found[2]) for found in FENCE.finditer(page.read_text("utf-8"))]


def _typed(line: str) -> str:
    return line.removeprefix("$ ")


def command_lines(page: Path) -> list[str]:
    """Every call of ``lossworks`` in a block, without its comment; continued lines are joined."""
    lines = [line for language, block in blocks(page) if language != "python" for line in block.replace("\\\n", " ").split("\n")]
    return [re.split(r"\s+#\s", line)[0].strip() for line in map(_typed, lines) if line.startswith("lossworks ")]


COMMANDS = [(page.name, line) for page in PAGES for line in command_lines(page)]
PYTHON = [
    (page.name, number, block) for page in PAGES for number, (language, block) in enumerate(blocks(page)) if language == "python"
]


@cache
def root() -> Any:
    """The command line itself."""
    return typer.main.get_command(app())


def parse(words: list[str]) -> None:
    """Parse a command as the command line would; nothing is run."""
    verb, *rest = words
    root().commands[verb].make_context(verb, rest)


def test_commands_are_found() -> None:
    """A pattern that finds nothing would make the other tests pass."""
    assert len(COMMANDS) > 25
    assert {name for name, _ in COMMANDS} >= {
        "README.md",
        "overview.md",
        "first.md",
        "EVIDENCE.md",
        "EXPLAIN.md",
        "FUSION.md",
        "GRAPHS.md",
        "LANGUAGES.md",
        "SCALE.md",
    }
    assert len(PYTHON) > 15


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_command_parses(page: str, line: str) -> None:
    """The verb and every flag exist, and values have the type that the flag wants."""
    parse(shlex.split(line)[1:])


@pytest.mark.parametrize("line", ["fit a.csv --tokens chars", "generate run --max-new-tokens many", "nothing a.csv"])
def test_wrong_commands_do_not_parse(line: str) -> None:
    """A flag, a value or a verb that is not there is noticed."""
    with pytest.raises((KeyError, typer.BadParameter.__mro__[2])):
        parse(line.split())


@pytest.mark.parametrize(("page", "number", "block"), PYTHON, ids=[f"{page}-{number}" for page, number, _ in PYTHON])
def test_python_block(page: str, number: int, block: str) -> None:
    """It compiles, its imports resolve, and every ``lossworks.…`` name that it uses exists."""
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lossworks"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            resolve(ast.unparse(node))


def resolve(name: str) -> None:
    """Follow a dotted name of the package, if it is one."""
    if re.fullmatch(r"lossworks(\.\w+)+", name) and "keras" not in name:
        thing: Any = importlib.import_module("lossworks")
        for part in name.split(".")[1:]:
            thing = getattr(thing, part)
