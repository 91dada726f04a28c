"""The page of conflicts: cells are the pairs' cosines, whatever their order; drawn and legible on a phone; names are text."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from lossworks.attribution.conflict import sentence
from lossworks.report.by_language import write_languages
from lossworks.report.conflict import chart, context

from .browsing import DRAWN, INVALID, illegible, look, said, unreadable
from .records import HOSTILE

NAMES = (HOSTILE, "arb", "deu", "eng", "hau_Latn", "ibo_Latn", "tha")
OPPOSED = {"deu", "hau_Latn", "tha"}


def told(names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """Languages of two camps that oppose each other, of which one pair is unknown."""
    pairs = []
    for at, one in enumerate(names):
        for other in names[:at]:
            value = 0.7 if (one in OPPOSED) == (other in OPPOSED) else -0.6 - at / 100
            known = {one, other} != {"arb", "deu"}
            word = "not shown" if not known else "conflict" if value < 0 else "agree"
            ends = (
                {"cosine": value, "low": value - 0.1, "high": value + 0.1} if known else dict.fromkeys(("cosine", "low", "high"))
            )
            pairs.append({"languages": sorted((one, other)), **ends, "p_holm": 0.001 if known else 1.0, "word": word})
    found = {"pairs": pairs, "few": [], "sketch": None, "languages": {name: {"texts": 30, "norm": 0.5} for name in names}}
    return {"conflict": found | {"verdict": sentence(found)}}


@pytest.mark.parametrize("count", [2, 4, 7])
def test_cells(count: int) -> None:
    """Each cell is the pair of its row and column; camps stand together; numbers where there is room, else crosses."""
    found = told(NAMES[-count:])
    drawn = chart(found)
    assert drawn is not None
    heat, marks = drawn["data"]
    cosines = {frozenset(pair["languages"]): pair["cosine"] for pair in found["conflict"]["pairs"]}
    names = [name.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("&#x27;", "'") for name in heat["x"]]
    assert sorted(names) == sorted(NAMES[-count:])
    assert heat["x"] == heat["y"]
    for one, row in zip(names, heat["z"], strict=True):
        for other, value in zip(names, row, strict=True):
            wanted = None if one == other else cosines[frozenset((one, other))]
            assert value == (None if wanted is None else pytest.approx(wanted))
    said = {frozenset(pair["languages"]): pair["word"] for pair in found["conflict"]["pairs"]}
    words = [[said.get(frozenset((one, other)), "") for other in names] for one in names]
    assert heat["customdata"] == words
    camps = [name in OPPOSED for name in names]
    assert sum(one != other for one, other in pairwise(camps)) == 1
    negative = sum(value is not None and value < 0 for row in heat["z"] for value in row)
    if count > 5:
        assert len(marks["x"]) == negative
    else:
        assert len(marks["text"]) == sum(value is not None for row in heat["z"] for value in row)


def test_nothing_to_draw(tmp_path: Path) -> None:
    """Where no gradient is above the noise there is a table, and no picture."""
    found = told(("arb", "deu"))
    assert chart(found) is None
    assert chart({}) is context({}) is None
    html = write_languages(found, "x", tmp_path / "page.html").read_text("utf-8")
    assert 'id="chart-conflict"' not in html
    assert re.search(r"<bdi>arb</bdi> and <bdi>deu</bdi></th><td class=\"n\">–", html)
    assert "Conflict</h2>" not in write_languages({}, "x", tmp_path / "page.html").read_text("utf-8")


def test_browser(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """On a phone in the dark it is drawn, fits and can be read, and all pairs stand in the table."""
    found = told()
    page = write_languages(found, "x", tmp_path / "page.html")
    assert HOSTILE not in page.read_text("utf-8")
    said(browser)
    look(browser, page, theme="dark", width=360)
    assert "conflict" in dict(browser.execute_script(DRAWN))
    assert browser.execute_script(INVALID) == []
    assert said(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    assert browser.execute_script("return window.hacked") is None
    rows = "return [...document.querySelectorAll('.named tbody tr')].map(row => row.cells[1].textContent)"
    shown = browser.execute_script(rows)
    assert len(shown) == len(found["conflict"]["pairs"]) == 21
    assert shown[0].startswith("−" if found["conflict"]["pairs"][0]["cosine"] < 0 else "0.7")
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert unreadable(browser) == []
    assert illegible(browser) == []
