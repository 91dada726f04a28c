"""The site is built as ``make docs`` builds it, and every link in it leads to a place that is there."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
BUILD = """
from lossworks.catalog import trajectories
from sphinx.cmd.build import main
trajectories.RATES = (0.1,)  # one of eight: no link and no warning depends on which is drawn
raise SystemExit(main())
"""


@pytest.mark.timeout(600)
def test_site(tmp_path: Path) -> None:
    """Sphinx warns of nothing: a warning is an error."""
    asked = [sys.executable, "-c", BUILD, "-W", "--keep-going", "-q", str(ROOT / "docs"), str(tmp_path)]
    built = subprocess.run(asked, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert not built.returncode, built.stdout
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 50
    assert not [f"{page.relative_to(tmp_path)}: {link}" for page in pages for link in links(page) if not leads(page, link)]


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
