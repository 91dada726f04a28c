"""The page of doubtful labels in a real browser: answers by button and key, kept, and downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from lossworks.checks import answers
from lossworks.checks.hand_check import Design, estimate
from lossworks.report import write_label_errors

from .browsing import illegible, look, requests, said, unreadable, wait
from .records import HOSTILE

DESIGN = Design.of(400, 12, 0)
CHECK = {
    "source": "a.csv",
    "data": "abc",
    "rows": 400,
    "task": "classify",
    "models": ["ngram:order=1,smoothing=additive,delta=0.3", "linear"],
    "folds": 5,
    "sample": 12,
    "seed": 0,
}


def page(folder: Path, *, counted: bool = False, name: str = "labels.html", **check: Any) -> Path:
    """A page of twelve rows to look at, the first with hostile text."""
    rows = [
        {"place": place + 1, "row": f"a.csv, line {place + 2}", "text": f"text {place}", "label": "x", "answer": "y", "loss": 2.5}
        for place in DESIGN.places().tolist()
    ]
    rows[0]["text"], rows[0]["label"] = HOSTILE, "<i>x</i>"
    found = {
        **CHECK,
        "labels": ["x", "y", HOSTILE],
        "notes": ["1 label stands on one text only, which no model can judge: 'z'"],
        "strata": DESIGN.to_json(),
        "estimate": estimate(DESIGN, ["wrong", "right", "unsure"] * 4).to_json() if counted else None,
        "ranked": sorted(rows, key=lambda row: row["place"]),
    }
    return write_label_errors(found, {**CHECK, **check}, rows, folder / name)


def shown(browser: webdriver.Chrome) -> list[str]:
    """The row asked for: its number, text and label."""
    return [browser.find_element(By.ID, name).text for name in ("count", "text", "label")]


@pytest.mark.parametrize(("theme", "width", "counted"), [("light", 1100, True), ("dark", 360, True), ("dark", 1100, False)])
def test_the_page_is_whole(browser: webdriver.Chrome, tmp_path: Path, theme: str, width: int, counted: bool) -> None:
    """Nothing fetched, nothing wider than the screen, all legible; markup in texts and labels is shown, never run."""
    requests(browser)
    said(browser)
    look(browser, page(tmp_path, counted=counted), theme=theme, width=width)
    assert shown(browser) == ["Row 1 of 12", HOSTILE, "<i>x</i>"]
    assert browser.execute_script("return window.hacked") is None
    assert said(browser) == []
    assert [url for url in requests(browser) if url.split(":")[0] not in ("file", "data", "blob")] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert unreadable(browser) == []
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert illegible(browser) == []
    text = browser.find_element(By.TAG_NAME, "main").text
    assert ("Wrong labels among the first rows" in text) is counted
    assert ("is not known yet" in text) is not counted
    small = [button.size["height"] for button in browser.find_elements(By.CSS_SELECTOR, ".answers button")]
    assert min(small) >= 44  # a thumb's width


def _empty(browser: webdriver.Chrome) -> bool:
    """Forget all answers; whether that is so when the page is loaded again: Chromium now and then has it later."""
    browser.execute_script("localStorage.clear()")
    browser.refresh()
    (back,) = [button for button in browser.find_elements(By.CSS_SELECTOR, ".answers button") if button.text == "Back"]
    return not back.is_enabled()


def _answered_and_kept(browser: webdriver.Chrome) -> bool:
    """Answer four rows, from the first; whether they are there when the page is loaded again."""
    wait(browser).until(_empty)
    buttons = {button.text: button for button in browser.find_elements(By.CSS_SELECTOR, ".answers button")}
    assert not buttons["Back"].is_enabled()
    assert not buttons["Download the answers"].is_enabled()
    buttons["Wrong"].click()
    assert shown(browser)[0] == "Row 2 of 12"
    body = browser.find_element(By.TAG_NAME, "body")
    for key in ("r", "t", "w", "b", "R"):
        body.send_keys(key)
    assert shown(browser)[0] == "Row 5 of 12"
    browser.refresh()
    return shown(browser)[0] == "Row 5 of 12"


def test_answers_by_button_and_key(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Each answer brings the next row, Back takes one away, a reload keeps them, and the file is what ``--checked`` reads."""
    downloads = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Page.setDownloadBehavior", downloads)
    made = page(tmp_path)
    look(browser, made)
    assert any(_answered_and_kept(browser) for _ in range(3))  # Chromium now and then loses all that a new session stores first
    browser.find_element(By.ID, "download").click()
    file = tmp_path / "answers.json"
    wait(browser).until(lambda _: file.exists())
    assert answers.matched(answers.read(file), CHECK, DESIGN) == ["wrong", "right", "unsure", "right"]
    body = browser.find_element(By.TAG_NAME, "body")
    for _ in range(10):
        body.send_keys("r")
    assert shown(browser) == ["All 12 rows are answered.", "Download the answers.", ""]
    file.unlink()
    browser.find_element(By.ID, "download").click()
    wait(browser).until(lambda _: file.exists())
    assert len(json.loads(file.read_text("utf-8"))["answers"]) == 12


def test_another_check_begins_anew(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Answers to one check are not taken for those to another in the same file, or of other data."""
    look(browser, page(tmp_path))
    wait(browser).until(_empty)
    browser.find_element(By.TAG_NAME, "body").send_keys("w")
    assert shown(browser)[0] == "Row 2 of 12"
    look(browser, page(tmp_path, data="xyz"))
    assert shown(browser)[0] == "Row 1 of 12"
    look(browser, page(tmp_path))
    assert shown(browser)[0] == "Row 2 of 12"
