"""Any number of K labels per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from . import intervals
from .calibration import Reliability
from .evaluation import Evaluation
from .intervals import Floats, Interval, Ints
from .over_rows import blocks, check, check_weights, group_ids, per_class, ratio
from .probabilities import sigmoid


def multilabel(
    logits: NDArray[Any],
    target: NDArray[Any],
    *,
    thresholds: Sequence[float] | None = None,
    weights: NDArray[Any] | None = None,
    temperature: float = 1.0,
    seed: int = 0,
    groups: NDArray[Any] | None = None,
) -> Evaluation:
    """Score logits [N, K], one per label, against label sets [N, K] of 0 and 1.

    micro_f1         F1 of all row-label decisions pooled.
    macro_f1         mean F1 over the labels that occur in the truth or the predictions. scikit-learn's
                     ``average="macro"`` counts the labels that never occur too, each as 0.
    subset_accuracy  share of rows whose whole label set is right.
    nll              −Σ over labels of log p(the label's truth), nats per row, after dividing by ``temperature``.
    brier            Σ over labels of (p − truth)², per row.
    ece              of all K label probabilities of all rows, in 15 equal-width bins.

    A label is predicted where its probability reaches its threshold (default 0.5). ``uncalibrated`` has the last three
    at temperature 1. Intervals take the row as the unit, since the labels of one row depend on each other.

    Args:
        logits: scores [N, K].
        target: the true label sets [N, K].
        weights: how much each row counts [N]; None: all alike.
        thresholds: the probability from which each label is predicted [K]; None: 0.5.
        temperature: what the logits are divided by.
        seed: of the draws for the interval of ece.
        groups: an id for each row [N], equal for rows that are not independent, such as repeats of one text; None: all are.
            Intervals then take the group as the unit; the metrics are the same.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers, or the wrong number of thresholds.
    """
    logits, truth = np.asarray(logits), np.asarray(target).astype(bool)
    check("logits", logits, len(truth), 2)
    check_weights(weights, len(truth))
    classes = logits.shape[1]
    cut = np.full(classes, 0.5) if thresholds is None else np.asarray(thresholds, np.float64)
    if truth.shape != logits.shape or cut.shape != (classes,):
        raise UsageError(f"logits {logits.shape} do not fit target {truth.shape} and {cut.size} thresholds.")
    clusters = group_ids(groups, len(truth))
    scale = intervals.effective(weights, len(truth), clusters)

    after, bins_after = _proper(logits, truth, temperature, scale, clusters, seed)
    before, bins_before = (after, bins_after) if temperature == 1 else _proper(logits, truth, 1.0, scale, clusters, seed)
    predicted = np.empty(truth.shape, bool)
    confidence = np.empty(len(truth))
    for block in blocks(len(truth)):
        p = sigmoid(logits[block].astype(np.float64) / temperature)
        predicted[block] = p >= cut
        wrong = predicted[block] != truth[block]
        confidence[block] = (np.where(predicted[block], p, 1 - p) * wrong).max(1)
    hits, true, called = (_counts(marks, scale) for marks in (predicted & truth, truth, predicted))
    return Evaluation(
        metrics={
            "micro_f1": _f1(predicted, truth, scale, clusters, hits.sum(keepdims=True), (true + called).sum(keepdims=True)),
            "macro_f1": _f1(predicted, truth, scale, clusters, hits, true + called),
            "subset_accuracy": intervals.proportion((predicted == truth).all(1), scale),
            **after,
        },
        uncalibrated=before,
        reliability={"before": bins_before, "after": bins_after},
        predicted=predicted,
        confidence=confidence,
        per_class=per_class(hits, called, true, truth.sum(0).astype(np.float64)),
    )


def _proper(
    logits: NDArray[Any], truth: NDArray[np.bool_], temperature: float, scale: Floats, clusters: Ints | None, seed: int
) -> tuple[dict[str, Interval], list[dict[str, float]]]:
    nll, brier = np.empty((2, len(truth)))
    reliability = Reliability(truth.shape[1], clusters)
    for block in blocks(len(truth)):
        scaled = logits[block].astype(np.float64) / temperature
        p = sigmoid(scaled)
        nll[block] = np.logaddexp(0, np.where(truth[block], -scaled, scaled)).sum(1)
        brier[block] = ((p - truth[block]) ** 2).sum(1)
        reliability.add(p, truth[block], scale[block])
    metrics = {
        "nll": intervals.mean(nll, scale, clusters, low=0),
        "brier": intervals.mean(brier, scale, clusters, low=0, high=truth.shape[1]),
        "ece": reliability.ece(seed),
    }
    return metrics, reliability.bins


def _counts(marks: NDArray[np.bool_], scale: Floats) -> Floats:
    """The weight of the rows that each label is marked in [K]."""
    return np.asarray(sum(scale[block] @ marks[block].astype(np.float64) for block in blocks(len(marks))), np.float64)


def _f1(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], scale: Floats, clusters: Ints | None, hits: Floats, named: Floats
) -> Interval:
    """The mean F1 of the labels that occur, from their counts [K]; one count [1] pools all decisions instead."""
    here = named > 0
    if not here.any():  # no label is true and none is predicted: there is nothing to score
        return Interval(0.0, 0.0, 1.0)
    n, count = float(scale.sum()), int(here.sum())
    smooth, denominator = intervals.smoothed_f1(2 * hits[here], named[here], n)
    gain, miss = np.zeros((2, len(named)))
    gain[here], miss[here] = 2 / denominator / count, smooth / denominator / count
    gain, miss = (np.broadcast_to(slope, truth.shape[1]) for slope in (gain, miss))
    parts = np.empty(len(truth))
    for block in blocks(len(truth)):
        yes, called = truth[block].astype(np.float64), predicted[block].astype(np.float64)
        parts[block] = scale[block] * ((yes * called) @ gain - (yes + called) @ miss)
    square_sum = intervals.square_sum(parts, clusters)
    return intervals.f1(float(ratio(2 * hits[here], named[here]).mean()), float(smooth.mean()), square_sum, n)
