"""Every command and every line of Python in Start, Guides and the tutorial is run, and prints what the page shows."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

import examples
from lossworks.catalog.member import REGISTRIES


@pytest.fixture(autouse=True)
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a page adds is gone after it: other tests in this process go through all members."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", {entry.name: entry for entry in registry})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [*examples.PAGES, *examples.NOTEBOOKS], ids=lambda page: page.stem)
def test_page(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs from top to bottom on the bundled reviews; `make docs-examples` writes what it prints now."""
    monkeypatch.delenv("COLUMNS", raising=False)  # which pytest-xdist sets; what is piped has no width
    shown, now = page.read_text("utf-8"), examples.rewritten(page)
    assert shown == now, "\n".join(difflib.unified_diff(shown.splitlines(), now.splitlines(), "shown", "now", lineterm=""))


def test_every_block_is_run() -> None:
    """A block of commands or Python that the pattern misses would never be run."""
    for page in examples.PAGES:
        text = page.read_text("utf-8")
        assert len(list(examples.BLOCK.finditer(text))) == text.count("```console\n") + text.count("```python\n")
    assert sum(len(list(examples.BLOCK.finditer(page.read_text("utf-8")))) for page in examples.PAGES) > 35


@pytest.mark.parametrize(
    ("shown", "printed", "agreed"),
    [
        ("nll 0.330\n", "nll  0.331\n", True),
        ("nll 0.330\n", "nll 0.430\n", False),
        ("in 8.6 s\n", "in 2.1 s\n", True),
        ("better\n", "worse\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nb\nc\n", False),
        ("1,234 rows\n", "2,234 rows\n", False),
    ],
)
def test_agreement(shown: str, printed: str, agreed: bool) -> None:
    """Words are compared exactly and numbers nearly; times are not, and "…" stands for lines left out."""
    assert examples.agree(shown, printed) == agreed
