"""The threshold for a precision: the lowest on the rows by hand, and how often what is said to be shown is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import precision_score, recall_score

from lossworks.metrics import for_precision
from lossworks.metrics.for_precision import CUTS

DRAW = np.random.default_rng(0)


def drawn(rows: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and whether each row is true; those of another ``slope`` than 1 claim too much, or too little."""
    logits = DRAW.normal(-1, 4, rows)
    return 1 / (1 + np.exp(-slope * logits)), DRAW.random(rows) < 1 / (1 + np.exp(-logits))


def test_the_lowest_on_the_rows() -> None:
    """Every threshold by scikit-learn; weights, and repeats of a text, which count as one row in what is shown."""
    chance, true = drawn(500)
    found = for_precision(chance, true, 0.9)
    by_hand = [cut for cut in CUTS if precision_score(true, chance >= cut) >= 0.9]
    here = found["here"]
    assert here["threshold"] == by_hand[0]
    called = chance >= by_hand[0]
    assert (here["texts"], here["share"]) == (called.sum(), called.mean())
    assert here["precision"]["value"] == pytest.approx(precision_score(true, called))
    assert here["recall"]["value"] == pytest.approx(recall_score(true, called))
    twice = for_precision(np.repeat(chance, 2), np.repeat(true, 2), 0.9, groups=np.repeat(np.arange(500), 2))
    assert {kind: twice[kind]["threshold"] for kind in ("here", "shown")} == {
        kind: found[kind]["threshold"] for kind in ("here", "shown")
    }
    weights = np.where(true, 1.0, 9.0)
    heavy = [cut for cut in CUTS if precision_score(true, chance >= cut, sample_weight=weights, zero_division=0) >= 0.9]
    assert for_precision(chance, true, 0.9, weights=weights)["here"]["threshold"] == heavy[0] > by_hand[0]


def test_what_is_shown_by_hand() -> None:
    """From where the probabilities promise most, downwards until the exact test does not reject."""
    for _ in range(40):
        chance, true = drawn(200)
        called = [chance >= cut for cut in CUTS]
        p = dict(zip(CUTS, (binom.sf(true[each].sum() - 1, each.sum(), 0.8) for each in called), strict=True))
        if found := for_precision(chance, true, 0.8)["shown"]:
            assert p[found["threshold"]] <= 0.05 < p[CUTS[CUTS.index(found["threshold"]) - 1]]
    promised = np.repeat([0.96, 0.996], [100, 40])
    late = for_precision(promised, np.repeat([0, 1], [100, 40]), 0.9)
    assert late["here"]["threshold"] == 0.97
    assert late["shown"] is None  # most is promised at the lower one; that the higher does it is seen from the labels alone
    assert [for_precision(np.full(rows, 0.97), np.ones(rows), 0.9)["shown"] is None for rows in (28, 29)] == [True, False]
    assert for_precision(np.full(29, 0.97), np.ones(29), 0.9)["fewest"] == 29
    few = for_precision(chance, np.zeros(200), 0.8)
    assert (few["here"], few["shown"]) == (None, None)
    assert for_precision(np.full(50, 0.001), np.ones(50), 0.8)["here"] is None  # nothing is called at all


@pytest.mark.parametrize("slope", [0.7, 1.0, 1.5])
def test_how_often_what_is_shown_is_wrong(slope: float) -> None:
    """At most 5 % of the time, also of overconfident probabilities; the lowest on the rows is, most of the time."""
    chance, true = drawn(300_000, slope)
    truth = {cut: true[chance >= cut].mean() for cut in CUTS}
    found = [for_precision(*drawn(400, slope), 0.8) for _ in range(200)]
    shown = [one["shown"]["threshold"] for one in found if one["shown"]]
    here = [one["here"]["threshold"] for one in found if one["here"]]
    assert len(shown) > 150
    assert sum(truth[cut] < 0.8 for cut in shown) / len(found) <= 0.08  # 5 %, and two standard errors
    assert sum(truth[cut] < 0.8 for cut in here) / len(here) > 0.25
