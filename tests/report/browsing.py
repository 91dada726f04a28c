"""Headless Chromium for the tests of pages, and what is asked of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PATIENCE = 100
"""Seconds: a machine may be busy."""

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
DRAWN = """return [...document.querySelectorAll('[data-figure]')].map(place => {
    const box = place.querySelector('svg.main-svg')?.getBoundingClientRect();
    return [place.dataset.figure, box ? box.width * box.height : 0];
})"""
INVALID = """return [...document.querySelectorAll('[data-figure]')]
    .flatMap(place => Plotly.validate(place.data, place.layout) || [])
    .filter(error => error.code !== 'unused').map(error => error.msg)"""

UNREADABLE = """
const count = (selector) => document.querySelectorAll(selector).length;
return {
    "h1": count("h1") - 1, "main": count("main") - 1, "skipped heading level": count("h3, h4"),
    "table without a caption": count("table:not(:has(caption))"),
    "chart without a name": count(".chart:not([role=img][aria-label])"),
    "region without a name": count("[role=region]:not([aria-label]), [tabindex]:not([role][aria-label], pre)"),
    "language": Number(document.documentElement.lang !== "en"),
};
"""
LEGIBLE = 4.5  # of WCAG 2, AA
CONTRASTS = """
const numbers = (color) => color.match(/[\\d.]+/g).map((v, i) => Number(v) * (color.startsWith("color(") && i < 3 ? 255 : 1));
const light = (color) => {
    const [r, g, b] = numbers(color).slice(0, 3).map((v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
    for (; element; element = element.parentElement) {
        const color = getComputedStyle(element).backgroundColor;
        if (numbers(color)[3] !== 0) return color;
    }
};
const found = [];
for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || element.closest("script, style, noscript, .skip")) continue;
    if (element.closest("#chart-confusion .textpoint")) continue;  // on cells, which are no element around it
    const style = getComputedStyle(element);
    const [a, b] = [element instanceof SVGElement ? style.fill : style.color, behind(element)].map(light).sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.textContent.trim().slice(0, 40)]);
}
return found;
"""


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The Chromium, which afterwards goes on drawing nothing: a page with a surface draws as long as it is open."""
    yield chromium
    chromium.get("about:blank")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One Chromium for all tests, with its own profile."""
    if not (BROWSER and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.binary_location = str(BROWSER)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    except WebDriverException as error:
        pytest.skip(f"Chromium does not start here: {error.msg}")
    driver.set_script_timeout(PATIENCE)
    driver.get("about:blank")  # away from the new-tab page, whose own resources would be counted
    yield driver
    driver.quit()


def wait(browser: webdriver.Chrome) -> WebDriverWait[webdriver.Chrome]:
    """For what comes soon, where the machine is not busy."""
    return WebDriverWait(browser, PATIENCE, poll_frequency=0.05)


def look(browser: webdriver.Chrome, page: Path | str, *, theme: str = "light", width: int = 1100) -> None:
    """Open the page in one theme and width, and wait until every chart is drawn."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page if isinstance(page, str) else page.as_uri())
    wait(browser).until(lambda b: all(area > 10_000 for _, area in b.execute_script(DRAWN)))


def requests(browser: webdriver.Chrome) -> list[str]:
    """Every address asked for since the last look; what a page holds itself (data:) is nobody's."""
    notes = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]  # type: ignore[no-untyped-call]
    urls = [n["params"]["request"]["url"] for n in notes if n["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith("data:")]


def said(browser: webdriver.Chrome) -> list[str]:
    """What the console has had to say since the last time."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


def unreadable(browser: webdriver.Chrome) -> list[str]:
    """What a screen reader would miss: one h1, a main, heading levels in order, names and captions."""
    return [fault for fault, count in browser.execute_script(UNREADABLE).items() if count]


def illegible(browser: webdriver.Chrome) -> list[tuple[float, str]]:
    """The texts, in charts too, that stand out too little of what is behind them, each with its contrast."""
    found = browser.execute_script(CONTRASTS)
    assert found
    return [(contrast, text) for contrast, text in found if contrast < LEGIBLE]
