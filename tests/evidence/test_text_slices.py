"""Parts of a data set that words can describe, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.evidence import text_slices
from lossworks.evidence.text_slices import Slice, bands, of_answers, of_texts


def named(slices: list[Slice], kind: str) -> dict[str, list[int]]:
    """Rows by name, of one kind."""
    return {one.name: one.rows.tolist() for one in slices if one.kind == kind}


def test_looks_and_scripts() -> None:
    """Digits, addresses, capitals, characters beyond ASCII; the script of most letters, in whichever block a text stands."""
    blocks = [["plain words", "room ４2 at www.x.org", "SO loud"], ["я знаю, ok?", "电影 A 好看", "１２３ !", "Ａｂｃ"]]
    found = of_texts(blocks)
    assert named(found, "text") == {
        "with a digit": [1, 5],
        "with a web address": [1],
        "with a word in capitals": [2],
        "with characters beyond ASCII": [1, 3, 4, 5, 6],
    }
    assert named(found, "script") == {"Latin": [0, 1, 2, 6], "Cyrillic": [3], "Han": [4]}


def test_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words in enough texts, case aside, each once a text; characters of scripts without spaces and marks; the most frequent."""
    monkeypatch.setattr(text_slices, "FEWEST", 2)
    blocks = [["A cat, a CAT", "the Cat", "好电影!"], ["好 dog!", "ИЛИ", "или cat"], []]
    found = named(of_texts(blocks), "word")
    assert found == {"cat": [0, 1, 5], "!": [2, 3], "好": [2, 3], "или": [4, 5]}
    assert next(iter(found)) == "cat"
    monkeypatch.setattr(text_slices, "WORDS", 1)
    assert list(named(of_texts(blocks), "word")) == ["cat"]


def test_bands() -> None:
    """Quarters of the rows; fewer where values repeat, none where all are alike."""
    values = np.array([9, 1, 5, 1, 2000, 8, 1, 6])
    assert [(one.name, one.rows.tolist()) for one in bands("length", values, "characters")] == [
        ("1 characters", [1, 3, 6]),
        ("5 to 6 characters", [2, 7]),
        ("8 to 9 characters", [0, 5]),
        ("2,000 characters", [4]),
    ]
    assert [len(one.rows) for one in bands("length", np.arange(1000) // 10)] == pytest.approx([250] * 4, abs=10)
    assert [one.name for one in bands("length", np.array([1, 1, 1, 1, 2.5]))] == ["1", "2.5"]
    assert bands("length", np.full(9, 3)) == bands("length", np.empty(0)) == []


def test_answers() -> None:
    """A slice a label, of sets one for each label in them and one for none; numbers in bands."""
    assert named(of_answers("true label", ["b", "a", "b"]), "true label") == {"b": [0, 2], "a": [1]}
    assert named(of_answers("x", [("a", "b"), (), ("b",)]), "x") == {"b": [0, 2], "a": [0], "none": [1]}
    assert len(of_answers("x", [0.5, 1.5, 2.5, 3.5, 4.5])) == 4
    assert of_answers("x", []) == []
