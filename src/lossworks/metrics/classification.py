"""One class out of K per row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from . import intervals
from .evaluation import Evaluation
from .intervals import Floats, Interval, Ints
from .over_rows import check, check_weights, group_ids, per_class, ratio
from .row_scores import RowScores

MANY, TOP = 20, 5
"""Classes from which on it counts whether the true one is among the ``TOP`` most probable."""
_MOST_CONFUSED = 500  # classes up to which there is a confusion matrix: beyond, it is a large table of zeros


def classify(
    logits: NDArray[Any],
    target: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    temperature: float = 1.0,
    threshold: float | None = None,
    seed: int = 0,
    groups: NDArray[Any] | None = None,
) -> Evaluation:
    """Score logits [N, K] against classes [N] in 0..K−1.

    accuracy   share of rows whose predicted class is the true one.
    top_5_accuracy  of 20 classes or more: share of rows whose true class is among the 5 most probable. Of classes equally
               probable, those with lower numbers come first.
    macro_f1   mean F1 over the classes that occur in the truth or the predictions: scikit-learn's
               ``f1_score(average="macro")``. With fewer than about five rows per class no interval for it is sound.
    nll        −log p(true class), nats per row, after dividing the logits by ``temperature``.
    brier      Σ over the K classes of (p − one-hot)², as Brier (1950) has it: 0 to 2, and for two classes twice the
               form that looks at one of them only.
    ece        of the top class's confidence, in 15 equal-width bins.

    The predicted class is the most probable one, or with ``threshold`` (two classes only) class 1 wherever its
    probability reaches it; nll, brier and ece do not depend on the threshold. ``uncalibrated`` has the last
    three at temperature 1. ``confusion`` (of up to 500 classes) and ``support`` are
    plain counts, whatever the weights.

    Args:
        logits: scores [N, K].
        target: the true class of each row [N].
        weights: how much each row counts [N]; None: all alike.
        temperature: what the logits are divided by.
        threshold: the probability from which class 1 is predicted; None: the most probable class is.
        seed: of the draws for the interval of ece.
        groups: an id for each row [N], equal for rows that are not independent, such as repeats of one text; None: all are.
            Intervals then take the group as the unit; the metrics are the same.

    Raises:
        UsageError: arrays that do not fit together, hold non-finite numbers, or a threshold for K ≠ 2.
    """
    logits, target = np.asarray(logits), np.asarray(target)
    check("logits", logits, len(target), 2)
    check_weights(weights, len(target))
    classes = logits.shape[1]
    if target.min() < 0 or target.max() >= classes:
        raise UsageError(f"target holds class {target.max()}, wanted 0 to {classes - 1}.")
    if threshold is not None and classes != 2:
        raise UsageError(f"a threshold needs two classes, got {classes}.")
    truth: Ints = target.astype(np.int64)
    clusters = group_ids(groups, len(truth))
    scale = intervals.effective(weights, len(truth), clusters)

    rows = RowScores.read(logits, truth, temperature)
    predicted = rows.top if threshold is None else (rows.last >= threshold).astype(np.int64)
    confidence = rows.confidence if threshold is None else np.where(predicted == 1, rows.last, 1 - rows.last)
    after, bins_after = rows.proper(scale, truth, clusters, seed)
    raw = rows if temperature == 1 else RowScores.read(logits, truth, 1.0)
    before, bins_before = (after, bins_after) if raw is rows else raw.proper(scale, truth, clusters, seed)

    right = predicted == truth
    sums = (truth, scale * right), (predicted, scale), (truth, scale)
    hits, named, true = (np.asarray(np.bincount(of, by, classes), np.float64) for of, by in sums)
    top = {"top_5_accuracy": intervals.proportion(rows.ahead < TOP, scale)} if classes >= MANY else {}
    return Evaluation(
        metrics={
            "accuracy": intervals.proportion(right, scale),
            **top,
            "macro_f1": _macro_f1(hits, named + true, truth, predicted, scale, clusters),
            **after,
        },
        uncalibrated=before,
        reliability={"before": bins_before, "after": bins_after},
        predicted=predicted,
        confidence=confidence,
        confusion=_confusion(truth, predicted, classes) if classes <= _MOST_CONFUSED else None,
        per_class=per_class(hits, named, true, np.bincount(truth, minlength=classes).astype(np.float64)),
        rows=rows,
    )


def _confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """How many rows of each true class [row] were predicted as each [column]."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def _macro_f1(right: Floats, named: Floats, truth: Ints, predicted: Ints, scale: Floats, clusters: Ints | None) -> Interval:
    """Of the weight of each class's rows that were ``right`` [K], and of all that are it or were predicted as it (``named``)."""
    hits, here = 2 * right, named > 0
    n, count = float(scale.sum()), int(here.sum())
    smooth, denominator = intervals.smoothed_f1(hits[here], named[here], n)
    miss, gain = np.zeros((2, len(named)))
    miss[here] = -smooth / denominator / count
    gain[here] = 2 / denominator / count
    influence = miss[truth] + miss[predicted] + np.where(truth == predicted, gain[truth], 0)
    square_sum = intervals.square_sum(scale * influence, clusters)
    return intervals.f1(float(ratio(hits[here], named[here]).mean()), float(smooth.mean()), square_sum, n)
