"""Languages in pages: two hundred of them on a phone, few, one text, hostile names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from selenium import webdriver

from lossworks import report
from lossworks.data import Languages
from lossworks.evidence.by_language import of_models
from lossworks.metrics import Interval, Losses, by_language
from lossworks.report.by_language import context, pairs

from .browsing import DRAWN, INVALID, illegible, look, said, unreadable
from .records import HOSTILE, classify_run


def languages(count: int) -> tuple[Languages, np.ndarray]:
    """Rows of so many languages, 25 each, one of a hostile name and one of a single row; their losses."""
    names = sorted([*(f"lang{n:03}_Latn" for n in range(count)), HOSTILE, "single"])
    of_row = np.repeat(np.arange(len(names), dtype=np.int32), [1 if name == "single" else 25 for name in names])
    return Languages(tuple(names), of_row), np.random.default_rng(0).exponential(size=len(of_row))


def told(count: int) -> Any:
    """What ``evaluate`` says of them."""
    of, values = languages(count)
    losses = Losses(values, np.ones(len(values)), np.arange(len(values)))
    return by_language("nll", losses, of, lambda rows: {"nll": Interval(float(values[rows].mean()), 0.5, 2.0)})


def test_browser(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Two hundred languages are drawn and legible on a phone, with room for each one's name; names are text."""
    count, width = 200, 360
    found, run = told(count), classify_run(tmp_path / "run")
    record = report.page.record.Run(run).summary
    record["result"]["languages"] = found
    page = report.write(run, record)
    html = page.read_text("utf-8")
    assert found["verdict"].split(":")[0] in html
    assert HOSTILE not in html
    said(browser)
    look(browser, page, theme="dark", width=width)
    assert browser.execute_script("return document.getElementById('chart-by-language').clientHeight") >= 20 * (count + 2)
    shown = "return document.querySelectorAll('[data-figure=by-language] .ytick').length"
    assert browser.execute_script(shown) == count + 2
    assert "by-language" in dict(browser.execute_script(DRAWN))
    assert browser.execute_script(INVALID) == []
    assert said(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return window.hacked") is None
    assert unreadable(browser) == []
    assert illegible(browser) == []


def test_tables() -> None:
    """One text has no interval; of pairs, each has its rows, and of several with many languages the worst are drawn."""
    found = context({"languages": told(3)})
    assert found is not None
    last = found["rows"][-1]
    assert (last["language"], last["difference"], last["p"], last["word"]) == ("single", "–", "–", "few texts")
    assert context({}) is None
    of, values = languages(60)
    runs = {name: Losses(values + n, np.ones(len(values)), np.arange(len(values))) for n, name in enumerate("abc")}
    both = pairs(of_models(runs, of, "nats"), rising=False)
    assert [len(one["rows"]) for one in both] == [62, 62]
    drawn = [sum(len(trace["y"]) for trace in one["figure"]["data"]) for one in both]
    assert drawn == [40, 40]
    assert both[0]["drawn"] == ": the 40 that lose most"
