"""How sources become one distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from lossworks.models.pool import Rule

DRAW = np.random.default_rng(0)
ANSWERS = log_softmax(DRAW.normal(size=(3, 40, 7)), 2)
SLOPES = {"slopes": DRAW.normal(size=(3, 6)), "center": np.zeros(6), "scale": np.ones(6)}
RULES = {
    "linear": Rule("linear", np.array([0.2, 0.5, 0.3])),
    "product": Rule("log_linear", np.array([0.7, 1.2, -0.4])),
    "linear by context": Rule("linear", np.array([0.1, 0.4, -0.3]), **SLOPES),
    "product by context": Rule("log_linear", np.array([0.7, 1.2, -0.4]), **SLOPES),
}


def holes(answers: np.ndarray, seed: int) -> np.ndarray:
    """The same with some sources silent at some positions, and some outcomes impossible."""
    draw, found = np.random.default_rng(seed), answers.copy()
    found[draw.random(found.shape) < 0.1] = -np.inf
    found = found - logsumexp(found, 2, keepdims=True)
    found[draw.random(found.shape[:2]) < 0.3] = np.nan
    return found


def test_mixture_by_hand() -> None:
    """Two sources, two outcomes: .25 · .9 + .75 · .5 = .6."""
    answers = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    assert np.exp(Rule("linear", np.array([0.25, 0.75])).combine(answers)) == pytest.approx(np.array([[0.6, 0.4]]))


def test_product_by_hand() -> None:
    """p ∝ .9² / .5 against .1² / .5: an anti-expert of one half changes nothing."""
    answers = np.log([[[0.9, 0.1]], [[0.5, 0.5]]])
    found = np.exp(Rule("log_linear", np.array([2.0, -1.0])).combine(answers))
    assert found == pytest.approx(np.array([[0.81, 0.01]]) / 0.82)


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 1000))
def test_sums_to_one(name: str, seed: int) -> None:
    """Whatever is silent and whatever is impossible, a pool's probabilities sum to one."""
    found = RULES[name].combine(holes(ANSWERS, seed))
    assert np.abs(np.exp(logsumexp(found, 1)) - 1).max() < 1e-12


def test_the_silent_have_no_say() -> None:
    """Where a source says nothing, the others share its weight; where all are silent, the answer is uniform."""
    silent = ANSWERS.copy()
    silent[1] = np.nan
    without = Rule("linear", np.array([0.4, 0.6])).combine(ANSWERS[[0, 2]])
    assert RULES["linear"].combine(silent) == pytest.approx(without)
    assert RULES["linear"].combine(np.full((3, 1, 4), np.nan)) == pytest.approx(np.log(0.25))


def test_what_a_factor_forbids_stays_forbidden() -> None:
    """Log 0 of a source with a weight above 0 is log 0 of the product; of an anti-expert it forbids nothing."""
    answers = np.log([[[0.5, 0.5]], [[1.0, 1e-300]]])
    answers[1, 0, 1] = -np.inf
    assert RULES["product"].__class__("log_linear", np.array([1.0, 0.1])).combine(answers)[0, 1] == -np.inf
    assert np.isfinite(Rule("log_linear", np.array([1.0, -0.1])).combine(answers)).all()


def test_single_outcomes_as_whole_distributions() -> None:
    """The quick way of a constant mixture gives what the whole distributions give."""
    answers, targets = holes(ANSWERS, 3), DRAW.integers(0, 7, 40)
    rule = RULES["linear"]
    picked = np.take_along_axis(answers, targets[None, :, None], 2)[..., 0]
    whole = np.take_along_axis(rule.combine(answers), targets[:, None], 1)[:, 0]
    assert rule.of_targets(picked, 7) == pytest.approx(whole)


@pytest.mark.parametrize("name", RULES)
def test_round_trip(name: str) -> None:
    """What is written as JSON is read back as the same rule."""
    again = Rule.from_json(RULES[name].to_json())
    assert np.array_equal(again.combine(ANSWERS), RULES[name].combine(ANSWERS))


@pytest.mark.parametrize("spoiled", [{"kind": "other"}, {"weights": 3.0}, {"weights": None}])
def test_damaged_json(spoiled: dict[str, object]) -> None:
    """What is no rule raises what loaders turn into a RecordError."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        Rule.from_json(RULES["linear"].to_json() | spoiled)
