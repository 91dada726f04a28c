"""The script of every character as Unicode has it, and of texts; never an error."""

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.tokens.scripts import COMMON, FIRST, script_counts, script_numbers, script_shares, scripts, scripts_of


def test_every_code_point() -> None:
    """Each code point has the script that the package ``regex`` gives it by the script's full name; none is left out."""
    names, numbers = list(scripts().values()), script_numbers()
    held = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers, minlength=len(names)))[:-1])
    for name, points in zip(names, held, strict=True):
        text = "".join(map(chr, points.tolist()))
        assert text, f"no character is {name}"
        assert regex.fullmatch(rf"\p{{Script={name.replace(' ', '_')}}}+", text), name
    assert list(scripts())[:FIRST] == ["Zzzz", "Zyyy", "Zinh"]


@pytest.mark.parametrize(
    ("text", "script", "shares"),
    [
        ("Привет, two мира!", "Cyrl", {"Cyrl": 10 / 13, "Latn": 3 / 13}),
        ("日本の", "Hani", {"Hani": 2 / 3, "Hira": 1 / 3}),
        ("бa", "Cyrl", {"Cyrl": 0.5, "Latn": 0.5}),  # as many of both: the first by its code
        ("e\u0301λ", "Latn", {"Latn": 2 / 3, "Grek": 1 / 3}),  # a mark is its base's
        ("λ!\u0301", "Grek", {"Grek": 1.0}),  # its base is shared by scripts, so the mark says nothing
        ("\u0301λ", "Grek", {"Grek": 1.0}),  # it stands on nothing
        ("\u0301", "Zinh", {}),
        ("12 ☺ \u0301", "Zyyy", {}),
        ("\ud800\U000e0fff\ue000", "Zzzz", {}),
        ("", "Zzzz", {}),
    ],
)
def test_by_hand(text: str, script: str, shares: dict[str, float]) -> None:
    """The main script and the shares of texts whose characters one can count."""
    assert scripts_of(["x", text, "ა"]) == ["Latn", script, "Geor"]  # none leaks into its neighbour
    (found,) = script_shares([text])
    assert found == pytest.approx(shares)
    assert list(found.values()) == sorted(found.values(), reverse=True)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=20), max_size=5))
def test_any_text(texts: list[str]) -> None:
    """Any code points at all are counted, each once, and the main script is one of the most frequent proper ones."""
    counts, codes = script_counts(texts), list(scripts())
    assert counts.sum(1).tolist() == [len(text) for text in texts]
    for own, main in zip(counts, scripts_of(texts), strict=True):
        number = codes.index(main)
        assert own[number] == own[FIRST:].max() if own[FIRST:].any() else number <= COMMON + 1
