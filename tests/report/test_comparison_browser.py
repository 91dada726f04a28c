"""The page of a real comparison in a browser: drawn, offline, by keyboard, light and dark, on a phone; and how large it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import lossworks
from lossworks import report

from .browsing import DRAWN, INVALID, illegible, look, requests, said, unreadable
from .test_comparison import arm, comparison

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
FIGURES = {"differences", "rates", "curves", "seconds", "time", "calibration"}
LARGEST = 3 << 20  # bytes
REACHED = """
const element = document.activeElement;
return [element.tagName + " " + (element.getAttribute("aria-label") || element.textContent.trim().slice(0, 30)),
        getComputedStyle(element).outlineStyle];
"""
REACHABLE = """
const overflowing = (place) => place.scrollWidth > place.clientWidth;
return [...document.querySelectorAll("a[href], summary, pre[tabindex], .scroll")]
    .filter((place) => !place.classList.contains("scroll") || place.tabIndex === 0 || overflowing(place))
    .filter((place) => !place.parentElement.closest("details:not([open])") || place.tagName === "SUMMARY")
    .map((place) => place.tagName + " " + (place.getAttribute("aria-label") || place.textContent.trim().slice(0, 30)));
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real comparison's page, of two things in all combinations."""
    out = tmp_path_factory.mktemp("compared") / "run"
    parts = {"loss": ["cross_entropy", "mse"], "optimizer": ["adagrad", "sgd"]}
    lossworks.compare(REVIEWS, **parts, model="linear:bits=12", epochs=2, seeds=2, trials=2, out=out)
    return out / "report.html"


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 375)])
def test_drawn(browser: webdriver.Chrome, page: Path, theme: str, width: int) -> None:
    """With the network cut every chart is drawn, the console is silent, nothing is asked for, nothing is wider than the screen,
    and every text, in charts too, stands out of what is behind it.
    """
    said(browser), requests(browser)
    network = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", network)
    try:
        look(browser, page, theme=theme, width=width)
        assert set(dict(browser.execute_script(DRAWN))) == FIGURES
        assert browser.execute_script(INVALID) == []
        assert said(browser) == []
        assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
        assert illegible(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", network | {"offline": False, "downloadThroughput": -1})


def test_by_keyboard(browser: webdriver.Chrome, page: Path) -> None:
    """The tab key alone reaches, in the page's order and visibly, the skip link, every table that scrolls, every part that
    unfolds, and the command; the enter key unfolds.
    """
    look(browser, page, width=375)
    wanted = browser.execute_script(REACHABLE)
    reached = []
    for _ in wanted:
        ActionChains(browser).send_keys(Keys.TAB).perform()
        name, outline = browser.execute_script(REACHED)
        assert outline != "none", name
        reached.append(name)
    assert reached == wanted
    assert reached[0].startswith("A Skip to the verdict")
    summary = browser.find_element("css selector", "summary")
    summary.send_keys(Keys.ENTER)
    assert browser.execute_script("return arguments[0].parentElement.open", summary)


def test_order_and_screen_readers(browser: webdriver.Chrome, page: Path) -> None:
    """The verdict is first, then the arms, the evidence, and how to reproduce it; everything has a name or a caption."""
    look(browser, page)
    assert unreadable(browser) == []
    assert browser.execute_script("return document.querySelectorAll(\".scroll:not([tabindex='0'])\").length") == 0
    headings = browser.execute_script(
        "return [...document.querySelectorAll('main > section')].map(one => one.getAttribute('aria-labelledby'))"
    )
    assert headings == [
        "verdict", "glance", "arms", "differences", "other", "curves", "slices", "labels", "calibration", "reading", "diverged",
        "protocol", "reproduce",
    ]  # fmt: skip


def test_size(page: Path, tmp_path: Path) -> None:
    """The page of a small comparison is below 1 MB; one of 64 arms with 20 seeds of 100 epochs is below 3."""
    assert len(page.read_bytes()) < LARGEST / 3
    arms = [arm(f"arm {n} of a comparison with a long name", "baseline" if n == 0 else "worse", n) for n in range(64)]
    for one in arms:
        curve = [[epoch, epoch * 0.512345678, 1 / epoch] for epoch in range(1, 101)]
        one["seeds"] = [{"seed": seed, "value": 0.512345678, "seconds": 2.0, "note": "", "curve": curve} for seed in range(20)]
    large = report.write(comparison(tmp_path, arms))
    assert len(large.read_bytes()) < LARGEST
