"""The tables of docs/EXPLAIN.md that benches write: each has its place, and only its place is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/EXPLAIN.md").read_text("utf-8")


def test_places() -> None:
    """Every place in the page is closed, and a bench that `make explain-docs` runs has a table for it."""
    names = re.findall(r"<!-- bench:(\S+) -->\n(?:(?!<!-- bench:)[^\0])*?<!-- end -->", PAGE)
    assert len(names) == len(set(names)) == PAGE.count("<!-- bench:") == PAGE.count("<!-- end -->") > 0
    (run,) = re.findall(r"for script in (.+); do \\\n\t\tLOSSWORKS_PAGE", (ROOT / "Makefile").read_text("utf-8"))
    programs = "".join((ROOT / f"bench/{name}.py").read_text("utf-8") for name in run.split())
    for name in names:
        begin = name.partition("-")[0] if name.startswith("times-") else name
        assert re.search(rf'f?"{begin}(-{{family}})?"[,)\n]', programs), name


def test_written_in_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table replaces what stood in its place and nothing else; a place that is missing is told."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    import _bench

    page = tmp_path / "page.md"
    page.write_text("a\n<!-- bench:one -->\n| old |\n<!-- end -->\nb\n<!-- bench:two -->\n<!-- end -->\n", "utf-8")
    _bench.table(("x", "y"), [("n", 1.23456)], "one")
    assert "| old |" in page.read_text("utf-8")
    monkeypatch.setenv("LOSSWORKS_PAGE", str(page))
    monkeypatch.setattr(sys, "argv", ["/somewhere/bench/one.py", "24"])
    _bench.table(("x", "y"), [("n", 1.23456)], "one")
    found = page.read_text("utf-8")
    assert found.startswith("a\n<!-- bench:one -->\n| x | y |\n| --- | --- |\n| n | 1.235 |\n\n(`bench/one.py 24`; ")
    assert found.endswith(")\n<!-- end -->\nb\n<!-- bench:two -->\n<!-- end -->\n")
    assert capsys.readouterr().out.count("| n | 1.235 |") == 2
    with pytest.raises(ValueError, match="no place for three"):
        _bench.table(("x",), [], "three")
