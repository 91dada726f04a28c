"""What each threshold does, against scikit-learn's curves; with intervals as the accuracy has them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as sk

import lossworks
from lossworks import metrics
from lossworks.metrics import intervals
from lossworks.metrics.row_scores import RowScores
from lossworks.report import by_threshold
from lossworks.tasks import Classify
from lossworks.training.judging import figures

RNG = np.random.default_rng(0)
TRUTH = (RNG.random(400) < 0.8).astype(np.int64)  # class 0 is the rarer one
ODDS = np.round(RNG.normal(size=400) + 2 * TRUTH - 1, 1)  # with ties
LOGITS = np.stack([np.ones(400), ODDS + 1], 1)
WEIGHTS = RNG.uniform(0.2, 3, 400)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_agrees_with_scikit_learn(weights: np.ndarray | None) -> None:
    """Average precision, the curve, and at each threshold precision, recall, F1 and the false positives; weights too."""
    found = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"), temperature=2.0, weights=weights)["label"]
    chance, true = expit(-ODDS / 2), TRUTH == 0
    assert (found["label"], found["other"]) == ("rare", "often")
    assert found["base_rate"] == pytest.approx(np.average(true, weights=weights))
    want = sk.average_precision_score(true, chance, sample_weight=weights)
    assert found["average_precision"]["value"] == pytest.approx(want)
    assert found["average_precision"]["low"] < want < found["average_precision"]["high"]
    assert len(found["thresholds"]) == 13
    for row in found["thresholds"]:
        called = chance >= row["threshold"]
        own = {"sample_weight": weights, "zero_division": 0}
        assert row["texts"] == called.sum()
        assert row["recall"]["value"] == pytest.approx(sk.recall_score(true, called, **own))
        assert row["f1"] == pytest.approx(sk.f1_score(true, called, **own))
        assert row["false_positives"] == (called & ~true).sum()
        assert row["false_positive_rate"] == pytest.approx(sk.recall_score(~true, called, **own))
        if called.any():
            assert row["precision"]["value"] == pytest.approx(sk.precision_score(true, called, **own))
        else:
            assert row["precision"] == {"value": None, "low": 0.0, "high": 1.0}
    precision, recall, cuts = sk.precision_recall_curve(true, chance, sample_weight=weights)
    assert 10 < len(found["curve"]) <= 100
    assert found["curve"][-1][0] == 1
    assert np.all(np.diff([point[0] for point in found["curve"]]) > 0)
    for own_recall, own_precision, cut in found["curve"]:
        at = np.abs(cuts - cut).argmin()
        assert (own_recall, own_precision, cut) == pytest.approx((recall[at], precision[at], cuts[at]), abs=1e-3)


def test_intervals_are_those_of_the_accuracy() -> None:
    """Wilson's, of as many rows as the share is of; repeats of a text count once, with its weight."""
    found = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"))
    plain, label = metrics.classify(LOGITS, TRUTH), found["label"]
    assert found["answered"][0]["accuracy"] == plain.metrics["accuracy"].to_json()
    chance, true = expit(-ODDS), TRUTH == 0
    row = label["thresholds"][7]
    called = chance >= row["threshold"]
    assert row["precision"] == intervals.proportion(true[called], np.ones(called.sum())).to_json()
    assert row["recall"] == intervals.proportion(called[true], np.ones(true.sum())).to_json()
    weights = np.repeat(WEIGHTS, 2)
    twice = {"weights": weights, "groups": np.repeat(np.arange(400), 2)}
    once = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"), weights=WEIGHTS)
    again = metrics.by_threshold(np.repeat(LOGITS, 2, 0), np.repeat(TRUTH, 2), ("rare", "often"), **twice)
    for told, want in zip(again["label"]["thresholds"], once["label"]["thresholds"], strict=True):
        for share in ("precision", "recall"):
            assert [*told[share].values()] == pytest.approx([*want[share].values()])
    assert [*again["label"]["average_precision"].values()] == pytest.approx([*once["label"]["average_precision"].values()])
    assert [*again["answered"][4]["accuracy"].values()] == pytest.approx([*once["answered"][4]["accuracy"].values()])


def test_rows_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's figures are of one reading of its logits at each temperature; thresholds go by what was read."""
    want = metrics.by_threshold(LOGITS, TRUTH, ("rare", "often"), temperature=2.0)
    whole, read = RowScores.read, list[float]()
    monkeypatch.setattr(RowScores, "read", lambda logits, truth, at: read.append(at) or whole(logits, truth, at))
    model: Any = SimpleNamespace(task=Classify(("rare", "often")), temperature=2.0, thresholds=None, probabilities=expit)
    said, *_ = figures(model, LOGITS, TRUTH, TRUTH, None, np.arange(400, dtype=np.uint64))
    assert said["by_threshold"] == want
    assert read.count(2.0) == 1


def test_average_precision_is_covered() -> None:
    """The interval holds the value of far more rows about as often as it says, or more often."""
    held, tries, true = 0, 100, None
    for count in (50_000, *[150] * tries):
        truth = RNG.random(count) < 0.2
        odds = RNG.normal(size=count) + 2 * truth
        found = metrics.by_threshold(np.stack([0 * odds, odds], 1), truth, "ab")["label"]["average_precision"]
        true = true or found["value"]
        held += found["low"] <= true <= found["high"]
    assert held - 1 >= 0.9 * tries


def test_answered_of_many_classes() -> None:
    """From the last threshold that all texts reach; the share answered is by weight, and what nobody reaches has no accuracy."""
    truth = RNG.integers(0, 5, 300)
    logits = RNG.normal(size=(300, 5)) / 4
    logits[np.arange(300), truth] += 1.0
    weights = RNG.uniform(0.2, 3, 300)
    found = metrics.by_threshold(logits, truth, "abcde", weights=weights)
    assert found["label"] is None
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    best, right = chance.max(1), chance.argmax(1) == truth
    assert [row["threshold"] for row in found["answered"]] == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    for row in found["answered"]:
        there = best >= row["threshold"]
        assert row["texts"] == there.sum()
        assert row["share"] == pytest.approx(np.average(there, weights=weights))
        if there.any():
            assert row["accuracy"]["value"] == pytest.approx(np.average(right[there], weights=weights[there]))
    assert found["answered"][0]["texts"] == 300
    assert found["answered"][0]["share"] == 1
    assert found["answered"][-1]["accuracy"] == {"value": None, "low": 0.0, "high": 1.0}


@pytest.mark.parametrize(("truth", "weights"), [([1] * 30, None), ([0] * 29 + [1], [1.0] * 29 + [0.0])])
def test_one_class_has_no_curve(truth: list[int], weights: list[float] | None) -> None:
    """Where the rarer class is not there, or counts for nothing, only the answered are told; of few rows there is no curve."""
    found = metrics.by_threshold(LOGITS[:30], truth, "ab", weights=weights)
    assert found["label"] is None
    assert found["answered"][0]["texts"] == 30
    few = metrics.by_threshold(LOGITS[:10], [0, 1] * 5, "ab")
    assert few["label"]["label"] == "b"  # the second of two that are as frequent
    assert few["label"]["curve"] == []
    assert by_threshold.chart({"by_threshold": few}) is None
    assert by_threshold.chart({"by_threshold": found}) is None


def test_folds_have_it_too() -> None:
    """A cross-validation tells thresholds of all rows, by the models that had not seen them."""
    rows = [(f"{'win' if i % 4 == 0 else 'me'} {i % 5}", "spam" if i % 4 == 0 else "ham") for i in range(60)]
    found = lossworks.fit(rows, model="naive_bayes:chars=0", folds=2).record["result"]["by_threshold"]
    assert found["label"]["label"] == "spam"
    assert found["label"]["base_rate"] == pytest.approx(0.25)
    assert found["answered"][0]["texts"] == 60
