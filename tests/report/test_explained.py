"""The page of explained texts, by itself and in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from lossworks import report

from .browsing import illegible, look, requests, unreadable
from .records import HOSTILE


def explanation(text: str, parts: list[tuple[int, int, float | None]], word: str | None, **more: Any) -> dict[str, Any]:
    """One as ``Explanation.to_json`` gives it."""
    spelled = [{"text": text[first:last], "characters": [first, last], "share": share} for first, last, share in parts]
    trial = None if word is None else {"word": word, "sentence": "Deletions agree.", "facts": {}}
    return {
        "text": text, "quantity": "logit of a less that of b", "unit": "nats", "value": 2.0, "baseline": -0.5, "residual": 0.25,
        "method": "exact", "how": "exact sum", "parts": spelled, "trial": trial, "details": [],
        "notes": ["features share buckets"],
    } | more  # fmt: skip


EXPLANATIONS = (
    explanation("good , bad film", [(0, 4, 2.5), (5, 6, 0.0), (7, 10, -0.25), (11, 15, 0.01)], "trust"),
    explanation(HOSTILE, [(0, 3, -1.0), (3, len(HOSTILE), 1.0)], "do not trust"),
    explanation("", [], "not shown"),
    explanation("x", [(0, 1, None), (1, 1, 0.5)], None, value=None, residual=None),
)


def written(path: Path) -> Path:
    """The page of all of them."""
    return report.write_explanations("run", ["linear"], [dict(each) for each in EXPLANATIONS], path / "page.html")


def test_whole_page(tmp_path: Path) -> None:
    """Sum, residual, verdict, method and notes of each text; what is infinite, and the end of a text."""
    html = written(tmp_path).read_text("utf-8")
    for said in (
        "<strong>2</strong> nats = −0.5 without any part + 2.26 from the parts + 0.25 left over.",
        "<strong>Trust.</strong> Deletions agree.",
        "Exact sum. Features share buckets.",
        "good: +2.5 nats",
        "∞",
        "(end of the text)",
    ):
        assert said in html, said
    assert HOSTILE not in html


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 360)])
def test_browser(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int) -> None:
    """Legible in both themes, narrow and wide; nothing is fetched; arrow keys and taps read the shares out."""
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    requests(browser)
    look(browser, written(tmp_path), theme=theme, width=width)
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert [url for url in requests(browser) if url.split(":")[0] != "file"] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert illegible(browser) == []
    assert unreadable(browser) == []
    text = browser.find_element("css selector", ".shares.whole")
    text.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert browser.find_element("css selector", ".says").text == "bad: -0.25 nats"
    text.find_element("css selector", "span").click()
    assert browser.find_element("css selector", ".says").text == "good: +2.5 nats"
