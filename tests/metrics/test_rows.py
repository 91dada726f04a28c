"""Metrics row by row: their plain means are the metrics, weights and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossworks import metrics
from lossworks.core.errors import UsageError
from lossworks.metrics import METRICS, by_row

RNG = np.random.default_rng(0)
TARGET = RNG.integers(0, 3, 90)
LOGITS = RNG.normal(size=(90, 3)) + 1.5 * np.eye(3)[TARGET]
SETS = RNG.random((90, 4)) < 0.4
SET_LOGITS = RNG.normal(size=(90, 4)) + 2 * SETS
WEIGHTS = RNG.random(90) + 0.2


def cases() -> list[tuple[str, Any, Any, Any]]:
    """Every kind of task with the evaluation that its metrics must agree with."""
    return [
        ("classify", LOGITS, TARGET, metrics.classify),
        ("multilabel", SET_LOGITS, SETS, metrics.multilabel),
        ("regress", LOGITS[:, 0], TARGET.astype(float), metrics.regress),
    ]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(("kind", "scores", "target", "whole"), cases())
def test_means_are_the_metrics(kind: str, scores: Any, target: Any, whole: Any, weights: Any) -> None:
    """The mean of a metric's rows is the value that the evaluation gives, for every metric that has rows."""
    more = {} if kind == "regress" else {"temperature": 1.7}
    rows = by_row(kind, scores, target, weights=weights, **more)
    found = whole(scores, target, weights=weights, **more).metrics
    assert tuple(rows) == METRICS[kind] or set(rows) == set(METRICS[kind])
    for name, values in rows.items():
        assert values.shape == (90,)
        assert values.mean() == pytest.approx(found[name].value, abs=1e-12), name


def test_f1_rows_have_the_spread_of_resampling() -> None:
    """The spread of macro-F1's rows is that of its bootstrap: the linearisation stands for the metric's own noise."""
    rows = by_row("classify", LOGITS, TARGET)["macro_f1"]
    draws = [RNG.integers(0, 90, 90) for _ in range(800)]
    resampled = [by_row("classify", LOGITS[draw], TARGET[draw])["macro_f1"].mean() for draw in draws]
    assert rows.std() / np.sqrt(90) == pytest.approx(np.std(resampled), rel=0.12)


def test_thresholds() -> None:
    """A threshold moves the answers of two classes, and not their log loss."""
    two, logits = TARGET % 2, LOGITS[:, :2]
    plain, cut = by_row("classify", logits, two), by_row("classify", logits, two, thresholds=[0.9])
    assert cut["accuracy"].mean() == metrics.classify(logits, two, threshold=0.9).metrics["accuracy"].value
    assert (cut["accuracy"] != plain["accuracy"]).any()
    assert (cut["nll"] == plain["nll"]).all()


def test_constant_scores_are_the_baselines() -> None:
    """The answer that never reads the text, by rows and as the baseline of an evaluation."""
    scores = metrics.constant_scores("classify", TARGET[:50], TARGET[50:], 3)
    whole = metrics.baseline("classify", TARGET[:50], TARGET[50:], labels=["a", "b", "c"])["metrics"]
    assert by_row("classify", scores, TARGET[50:])["nll"].mean() == pytest.approx(whole["nll"]["value"])


def test_metric_that_does_not_fit() -> None:
    """A metric of another kind of task is named, with those that fit."""
    with pytest.raises(
        UsageError, match=r"'mse' does not fit the task classify. Metrics that do: nll, brier, accuracy, macro_f1"
    ):
        metrics.check_metric("classify", "mse")
