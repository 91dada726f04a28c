"""The site is built as ``make docs`` builds it, and every link in it leads to a place that is there."""

from __future__ import annotations

import functools
import gc
import re
import warnings
from pathlib import Path
from urllib.parse import unquote

import pytest

import forks
from lossworks.catalog import trajectories

ROOT = Path(__file__).parents[2]


def build(out: Path) -> None:
    """What ``make docs`` does, in a process of its own."""
    from sphinx.cmd.build import main  # only here: each worker collects all tests

    gc.disable()  # which looks through half a million nodes again and again: a quarter of the time
    warnings.resetwarnings()
    trajectories.RATES, trajectories.STEPS = (0.1,), 15  # of eight and 150: no link and no warning depends on what is drawn
    raise SystemExit(main(["-W", "--keep-going", "-q", str(ROOT / "docs"), str(out)]))


@pytest.mark.timeout(600)
def test_site(tmp_path: Path) -> None:
    """Sphinx warns of nothing: a warning is an error."""
    built = forks.begun(lambda: build(tmp_path / "site"), tmp_path)
    built.join()
    assert built.exitcode == 0, (tmp_path / forks.SAID).read_text("utf-8")
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 50
    assert not [f"{page.name}: {link}" for page in pages for link in links(page) if not leads(page, link)]


def links(page: Path) -> set[str]:
    """What a page links to in this site."""
    found = re.findall(r'<(?:a|link|img|script)\b[^>]*? (?:href|src)="([^"]*)"', page.read_text("utf-8"))
    return {unquote(link) for link in found if not re.match(r"\w+:", link)}


def leads(page: Path, link: str) -> bool:
    """Whether what a link names is there; the search page's words are no file."""
    path, _, anchor = link.partition("#")
    target = page.parent / path.partition("?")[0] if path else page
    return target.is_file() and (not anchor or anchor in anchors(target))


@functools.cache
def anchors(page: Path) -> set[str]:
    """The places of a page that can be linked to."""
    return set(re.findall(r' (?:id|name)="([^"]*)"', page.read_text("utf-8")))
