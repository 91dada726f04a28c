"""The page in a real browser: headless Chromium, nothing reachable but the file itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

import lossworks
from lossworks import report
from lossworks.api import evaluate, labels_side_by_side
from lossworks.api.check_labels import check_labels
from lossworks.api.explained import write_explanations
from lossworks.api.scored import write_scored
from lossworks.catalog import find
from lossworks.data import ReadOptions
from lossworks.report.by_language import write_languages

from .browsing import DRAWN, INVALID, illegible, look, requests, unreadable, wait
from .records import HOSTILE, classify_run, diverged_run, landscape, multilabel_run, regress_run, watched_run


@pytest.mark.parametrize(
    ("make", "theme", "width"),
    [
        (multilabel_run, "dark", 360),
        (regress_run, "light", 360),
        (diverged_run, "dark", 1100),
        (watched_run, "light", 1100),
        (watched_run, "dark", 360),
    ],
)
def test_every_chart_is_drawn(browser: webdriver.Chrome, tmp_path: Path, make: Any, theme: str, width: int) -> None:
    """Drawn, no console message, nothing fetched, nothing wider than the screen; light and dark, desk and phone."""
    page = report.write(make(tmp_path))
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    requests(browser)
    look(browser, page, theme=theme, width=width)
    drawn = dict(browser.execute_script(DRAWN))
    wanted = {
        "multilabel_run": {"loss", "metric", "reliability"},
        "regress_run": {"loss", "metric", "scatter"},
        "diverged_run": {"loss", "metric"},
        "watched_run": {
            "loss",
            "metric",
            "rate",
            "gradient",
            "update_ratios",
            "clipped",
            "search",
            "confusion",
            "precision-recall",
            "reliability",
        },
    }
    assert set(drawn) == wanted[make.__name__]
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(INVALID) == []
    assert unreadable(browser) == []
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert illegible(browser) == []


def test_hostile_text_stays_text(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Markup in texts and labels is shown, never run: no script, no link, no image comes of it."""
    look(browser, report.write(classify_run(tmp_path, labels=["<b>good</b>&amp;", HOSTILE], text=HOSTILE)))
    assert browser.title.endswith("Lossworks report")
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.querySelectorAll('main img, main a, svg a').length") == 0
    shown = browser.execute_script("return document.querySelector('blockquote').textContent")
    assert HOSTILE in shown
    ticks = "return [...document.querySelectorAll('#chart-confusion .xtick text')].map(tick => tick.textContent)"
    assert browser.execute_script(ticks) == ["<b>good</b>&amp;", HOSTILE[:17] + "…"]


SCRIPTS = {
    "arb": "السفر إلى تركيا ممتع (1923)", "heb": "טורקיה מוקפת בים 👨‍👩‍👧", "hin": "क्षत्रिय समुद्र तीन ओर", "tha": "ประเทศตุรกีมีทะเล",
    "mya": "ပင်လယ်များ ဝန်းရံထားသည်", "zho": "土耳其三面环海。", "kor": "삼면이 바다로 둘러싸여", "eng": "the sea on three sides 🇹🇷",
}  # fmt: skip
DIRECTIONS = """const found = {};
for (const one of document.querySelectorAll('main [dir=auto]')) {
    for (const [name, text] of Object.entries(arguments[0]))
        if (one.textContent.includes(text)) found[name] = getComputedStyle(one).direction;
}
return found;"""


LOOSE = """const turned = /[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufefc]/, found = [];
const nodes = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
for (let node; (node = nodes.nextNode()); ) {
    const rest = node.textContent.replace(/\\u2068[^\\u2069]*\\u2069/g, "");
    if (turned.test(rest) && !node.parentElement.closest("bdi, [dir=auto], svg, pre, script")) found.push(rest.trim());
}
return found;"""
"""Texts from right to left that do not stand apart from others, and so would take what follows to their other side."""


def test_scripts(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Texts of every script stand whole in the pages, those from right to left the right way round, on a phone too."""
    labels = ["سفر", "ים", "क"] * 3
    rows = [(f"{text} {i}", label) for i in range(24) for text, label in zip(SCRIPTS.values(), labels, strict=False)]
    of_languages = [
        {"text": text, "label": label, "lang": SCRIPTS[name]} for (text, label), name in zip(rows, [*SCRIPTS] * 24, strict=True)
    ]
    model = lossworks.fit(rows, model="linear:bits=12,chars=2", epochs=2, out=tmp_path / "run")
    worse = lossworks.fit(rows, model="linear:bits=12,chars=0", epochs=1)
    assert isinstance(model, lossworks.Model)
    assert isinstance(worse, lossworks.Model)
    language = lossworks.fit([text for text, _ in rows[:64]], task="lm", model="ngram:order=2", tokenizer="bytes")
    texts, read = list(SCRIPTS.values()), ReadOptions(language="lang")
    one = evaluate(model, of_languages, read, conflict=True)
    both = labels_side_by_side({"one": model, "two": worse}, of_languages, read, slices=True)
    checked = check_labels(rows, model=["linear:bits=10,chars=2"], folds=2, sample=20)
    pages = {
        "explained": write_explanations(model.explain(texts), tmp_path / "explained.html", name="run"),
        "scored": write_scored(language.score(texts), tmp_path / "scored.html", name="run"),
        "report": tmp_path / "run/report.html",
        "languages": write_languages(one, "data", tmp_path / "languages.html"),
        "pairs": write_languages(both, "data", tmp_path / "pairs.html"),
        "slices": report.write_slices(both["slices"], "data", tmp_path / "slices.html"),
        "labels": checked.write(tmp_path / "labels.html"),
    }
    for name, page in pages.items():
        look(browser, page, width=360)
        browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
        assert browser.execute_script(LOOSE) == [], name
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, name
        if name in ("explained", "scored"):
            directions = browser.execute_script(DIRECTIONS, SCRIPTS)
            assert directions == {name: "rtl" if name in ("arb", "heb") else "ltr" for name in SCRIPTS}
        shown = browser.execute_script("return document.querySelector('main').textContent")
        if name in ("languages", "pairs"):
            assert all(text in shown for text in texts)
        if name == "scored":
            ends = "return [...document.querySelectorAll('.heat.whole span:last-child')].map(e => [e.textContent, e.dir])"
            assert browser.execute_script(ends) == [["</s>", "ltr"]] * len(texts)


def test_colours_follow_the_theme_and_paper_is_light(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The charts' text is light on dark, dark on light, and dark on paper, even where the screen is dark."""
    page = report.write(classify_run(tmp_path))
    colour = "return getComputedStyle(document.querySelector('#chart-loss .xtick text')).fill"
    look(browser, page, theme="light")
    light = browser.execute_script(colour)
    look(browser, page, theme="dark")
    dark = browser.execute_script(colour)
    assert light != dark
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(colour) == light
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(colour) == dark


def test_members_are_drawn(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Bars, curves and trajectories are drawn, on desk and phone; no console message, nothing fetched or too wide."""
    members = tuple(member for spec in ("cvar", "cross_entropy+0.1*z_loss", "adam:lr=0.1") for member in find(spec))
    page = report.write_members(members, tmp_path / "member.html")
    for theme, width in (("light", 1100), ("dark", 360)):
        requests(browser)
        browser.get_log("browser")  # type: ignore[no-untyped-call]
        look(browser, page, theme=theme, width=width)
        assert browser.execute_script(DRAWN)
        assert browser.execute_script(INVALID) == []
        assert unreadable(browser) == []
        assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
        assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 360)])
def test_landscapes_are_drawn_and_turned(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int) -> None:
    """Both surfaces and their levels are drawn, offline and in the theme's colours; the arrow keys turn a surface."""
    parts = ("loss", "held-out") if theme == "light" else ("loss",)
    found = landscape() if theme == "light" else landscape(held_out=None, held_out_rows=0)
    page = report.write_landscape(found, {}, tmp_path, tmp_path / "landscape.html")
    requests(browser)
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    look(browser, page, theme=theme, width=width)
    assert set(dict(browser.execute_script(DRAWN))) == {f"{kind}-{part}" for kind in ("solid", "plane") for part in parts}
    assert browser.execute_script(INVALID) == []
    assert unreadable(browser) == []
    notes = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [note for note in notes if note["source"] != "rendering"] == []  # hints on how fast a canvas is read
    assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    eye = "return document.querySelector('#chart-solid-loss')._fullLayout.scene._scene.getCamera().eye"
    before = browser.execute_script(eye)
    turn = browser.find_element("css selector", ".turn")
    turn.send_keys(Keys.ARROW_RIGHT)
    moved = wait(browser)
    moved.until(lambda b: b.execute_script(eye)["x"] != pytest.approx(before["x"], abs=1e-3))
    after = browser.execute_script(eye)
    assert math.hypot(*after.values()) == pytest.approx(math.hypot(*before.values()))
    assert after["z"] == pytest.approx(before["z"])
