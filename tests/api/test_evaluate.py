"""Figures on other data, and on data that is not as other as it should be."""

from __future__ import annotations

import pytest

import lossworks
from lossworks.api import evaluate

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]


def test_figures_on_the_training_data_are_marked() -> None:
    """The very rows of the fit are recognised, whatever they come in; other rows are not."""
    model = lossworks.fit(ROWS, model="linear:bits=10", epochs=2)
    assert evaluate(model, [{"text": text, "label": label} for text, label in ROWS])["trained_on"]
    assert not evaluate(model, ROWS[:30])["trained_on"]


def test_baseline_is_that_of_training() -> None:
    """What always answering training's commonest class scores, even where the new data has another."""
    rows = [(f"a fine thing, number {i}", "good" if i % 3 else "bad") for i in range(60)]
    model = lossworks.fit(rows, model="linear:bits=10", epochs=1)
    result = evaluate(model, [("terrible", "bad"), ("awful", "bad"), ("fine", "good"), ("poor", "bad")])
    assert result["baseline"]["name"] == "majority class 'good'"
    assert result["baseline"]["metrics"]["accuracy"]["value"] == pytest.approx(0.25)
