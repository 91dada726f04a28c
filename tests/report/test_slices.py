"""The page of slices, by itself and in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver

from lossworks import report
from lossworks.evidence.slices import judge, sentence
from lossworks.evidence.text_slices import Slice
from lossworks.metrics.contrast import Losses

from .browsing import DRAWN, INVALID, illegible, look, requests, said, unreadable
from .records import HOSTILE


def found(*, planted: float, models: int = 1) -> dict[str, Any]:
    """Slices of made-up losses as ``evaluate`` tells them, one of them with a hostile name and more loss."""
    rng = np.random.default_rng(0)
    slices = [Slice("length", f"{n} characters", np.arange(30 * n, 30 * n + 30)) for n in range(6)]
    slices += [Slice("word", HOSTILE, np.arange(5, 95)), Slice("script", "Greek", np.arange(3))]
    runs = {}
    for name in ("runs/a", "runs/b", "runs/c")[:models]:
        losses = rng.exponential(size=300)
        losses[5:95] += planted
        runs[name] = Losses(losses, np.ones(300), np.arange(300))
    tables = [table.to_json() | {"verdict": sentence(table, "nats")} for table in judge(runs, slices)]
    return {"metric": "nll", "unit": "nats", "fewest": 20, "words": 1000, "left_out": ["predicted labels"], "tables": tables}


def test_whole_page(tmp_path: Path) -> None:
    """Verdict, table, what was not tested and what was left out; names are text."""
    html = report.write_slices(found(planted=2), "some data", tmp_path / "s.html").read_text("utf-8")
    for wanted in (
        "Slices of some data",
        "Parts that differ",
        " of 7 slices",
        "harder",
        "Greek (3)",
        "Left out: predicted labels",
    ):
        assert wanted in html, wanted
    assert HOSTILE not in html
    html = report.write_slices(found(planted=0), "some data", tmp_path / "s.html").read_text("utf-8")
    assert "No slice shown to differ (7 slices tested)." in html
    html = report.write_slices(found(planted=0, models=3), "some data", tmp_path / "s.html").read_text("utf-8")
    assert "runs/b less runs/a" in html
    assert "with another seed they may differ" in html


@pytest.mark.parametrize(("theme", "width", "models"), [("light", 1100, 1), ("dark", 360, 2)])
def test_browser(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int, models: int) -> None:
    """Drawn and legible in both themes, narrow and wide; nothing is fetched, and the console is silent."""
    said(browser), requests(browser)
    look(
        browser, report.write_slices(found(planted=2, models=models), "some data", tmp_path / "s.html"), theme=theme, width=width
    )
    assert set(dict(browser.execute_script(DRAWN))) == {"slices-0"}
    assert browser.execute_script(INVALID) == []
    assert said(browser) == []
    assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert unreadable(browser) == []
    assert illegible(browser) == []
