"""The page of when rows were learned, by itself and in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from lossworks import report
from lossworks.attribution.learning import Learning

from .browsing import DRAWN, INVALID, illegible, look, requests, said, unreadable
from .records import HOSTILE


def written(path: Path, *, numbers: bool = False, **more: Any) -> Path:
    """The page of made-up looks at made-up rows."""
    rng = np.random.default_rng(0)
    course = np.sort(rng.random((6, 200)).astype(np.float32), 0)
    right = None if numbers else course > 0.5
    found = Learning(
        **{
            "rows": np.arange(0, 400, 2), "labels": [1.5 if numbers else HOSTILE] * 200, "epochs": np.arange(1.0, 7),
            "loss": course, "course": course, "right": right, "el2n": None if numbers else course[0],
            "early": 1.0, "exact": True, "off": 0.0, "loss_name": "mse", "second": True,
        } | more
    )  # fmt: skip
    row: dict[str, Any] = {"row": 3, "place": "data.csv, line 5", "text": HOSTILE, "label": "a", "mean": 0.25, "spread": 0.125}
    if not numbers:
        row |= {"correctness": 0.5, "forgotten": 2, "first_learned": 1.0, "learned": None, "el2n": 0.5}
    lists = {name: [row] for name in ("hard", "ambiguous", "easy")}
    return report.write_learning(found, lists, {"config": {"model": "bag"}}, path / "<b>run", path / "page.html")


def test_whole_page(tmp_path: Path) -> None:
    """Summary, whether it is the run's own training, the rows; texts are text."""
    html = written(tmp_path).read_text("utf-8")
    for wanted in (
        "Of 200 training rows",
        "were right at each of 6 looks over 6 epochs",
        "ended in the saved model, bit for bit. It is the second",
        "data.csv, line 5",
        "never",
        "these looks cannot tell which",
    ):
        assert wanted in html, wanted
    assert HOSTILE not in html
    assert "differ from the saved model&#39;s by up to 0.5" in written(tmp_path, exact=False, off=0.5).read_text("utf-8")
    html = written(tmp_path, numbers=True).read_text("utf-8")
    assert "the median squared error" in html
    assert "Forgotten" not in html


@pytest.mark.parametrize(("theme", "width", "numbers"), [("light", 1100, False), ("dark", 360, True)])
def test_browser(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int, numbers: bool) -> None:
    """Drawn and legible in both themes, narrow and wide; nothing is fetched, the console is silent; lists open by keyboard."""
    said(browser), requests(browser)
    look(browser, written(tmp_path, numbers=numbers), theme=theme, width=width)
    assert set(dict(browser.execute_script(DRAWN))) == {"map", "when"}
    assert browser.execute_script(INVALID) == []
    assert said(browser) == []
    assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script("document.querySelector('summary').focus()")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.execute_script("return document.querySelector('details').open")
    assert unreadable(browser) == []
    assert illegible(browser) == []
