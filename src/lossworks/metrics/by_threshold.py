"""What a classifier does at each threshold of its probability, on rows that the threshold was not chosen on."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import FEW, Floats, Interval, Ints, effective, proportion
from .over_rows import group_ids
from .probabilities import sigmoid
from .row_scores import RowScores

GRID = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_POINTS = 100  # of a precision-recall curve

Marks = NDArray[np.bool_]


def by_threshold(
    logits: NDArray[Any],
    target: NDArray[Any],
    labels: Sequence[str],
    *,
    temperature: float = 1.0,
    weights: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    read: RowScores | None = None,
) -> dict[str, Any]:
    """Logits [N, K] against classes [N], decided by one threshold after another, for the record.

    Returns:
        answered: where one threshold holds for all classes: how many ``texts`` have an answer that reaches it, their ``share``,
            and the ``accuracy`` of their answers; from the last ``threshold`` that every text reaches.
        label: of two classes the ``label`` that has fewer rows, or the second; None where one class is all there is.
            ``other``: the other class. ``base_rate``: the label's share. ``average_precision``: its interval is that of a share
            of the label's rows (Boyd, Eng & Page 2013, "Area under the precision-recall curve"), wide rather than narrow.
            ``thresholds``: where the label is answered from a ``threshold`` on: how many ``texts`` get it, ``precision``,
            ``recall``, ``f1``, and how many of the other class are among them, ``false_positives``, which are the
            ``false_positive_rate`` of it. ``curve``: points of recall, precision and threshold; none of fewer than 20 rows.

        Counts are plain, all else is weighted. What is a share of nothing has the value None.

    Args:
        labels: the names of the classes.
        temperature, weights, groups: as of ``classify``. read: the ``rows`` of what that found of them; None: read now.
    """
    truth: Ints = np.asarray(target).astype(np.int64)
    rows = Rows(None if weights is None else np.asarray(weights, np.float64), group_ids(groups, len(truth)))
    scores = read or RowScores.read(np.asarray(logits), truth, temperature)
    right = scores.top == truth
    answered = [
        {
            "threshold": cut,
            "texts": int(reached.sum()),
            "share": rows.share(reached).value,
            "accuracy": rows.share(right, reached).to_json(),
        }
        for cut in GRID[max(0, bisect_right(GRID, 1 / len(labels)) - 1) :]
        for reached in (scores.confidence >= cut,)
    ]
    return {"answered": answered, "label": _of_rarer(logits, truth, labels, temperature, rows) if len(labels) == 2 else None}


class Rows:
    """Weights and groups of the rows [N], None for none, and shares of some of them."""

    def __init__(self, weights: Floats | None, groups: Ints | None) -> None:
        self.weights, self.groups = weights, groups

    def share(self, hits: NDArray[Any], among: Marks | None = None) -> Interval:
        """The share of ``hits`` [N] ``among`` some rows, or all, with its interval as of the accuracy."""
        among = np.ones(len(hits), np.bool_) if among is None else among
        weights = None if self.weights is None else self.weights[among]
        groups = None if self.groups is None else self.groups[among]
        if not among.any() or (weights is not None and not weights.any()):
            return Interval(math.nan, 0.0, 1.0)
        return proportion(hits[among], effective(weights, int(among.sum()), groups))


def _of_rarer(logits: NDArray[Any], truth: Ints, labels: Sequence[str], temperature: float, rows: Rows) -> dict[str, Any] | None:
    """``label``, as ``by_threshold`` has it."""
    rare = int(2 * truth.sum() <= len(truth))
    odds = (logits[:, rare].astype(np.float64) - logits[:, 1 - rare]) / temperature
    chance, true = sigmoid(odds), truth == rare
    base = rows.share(true).value
    if not 0 < base < 1:
        return None
    curve = Curve(odds, true, rows.weights)
    return {
        "label": labels[rare],
        "other": labels[1 - rare],
        "base_rate": base,
        "average_precision": rows.share(curve.precision_of, true).to_json(),
        "thresholds": [_at(cut, chance >= cut, true, rows) for cut in GRID],
        "curve": curve.points() if len(truth) >= FEW else [],
    }


def _at(cut: float, called: Marks, true: Marks, rows: Rows) -> dict[str, Any]:
    """What calling some rows by the label does."""
    precision, recall, wrong = rows.share(true, called), rows.share(called, true), rows.share(called, ~true)
    both = precision.value + recall.value
    return {
        "threshold": cut,
        "texts": int(called.sum()),
        "precision": precision.to_json(),
        "recall": recall.to_json(),
        "f1": 2 * precision.value * recall.value / both if both > 0 else 0.0,
        "false_positives": int((called & ~true).sum()),
        "false_positive_rate": wrong.value,
    }


class Curve:
    """Precision and recall where the label is called from each of the ``odds`` [N] on; equal ones are called together.

    ``precision_of``: of each row [N], the precision where the last row called is as probable: its mean over the rows that are
    true is the average precision.
    """

    def __init__(self, odds: Floats, true: Marks, weights: Floats | None) -> None:
        order = np.argsort(-odds, kind="stable")
        falling = odds[order]
        last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        weight = np.ones(len(odds)) if weights is None else weights[order]
        hits, called = np.cumsum(weight * true[order])[last], np.cumsum(weight)[last]
        self.odds = falling[last]
        self.recall = hits / hits[-1]
        self.precision = np.divide(hits, called, out=np.zeros(len(last)), where=called > 0)
        self.precision_of = np.empty(len(odds))
        self.precision_of[order] = np.repeat(self.precision, np.diff(last, prepend=-1))

    def points(self) -> list[list[float]]:
        """Recall, precision and probability of some of its points, evenly by recall, up to that of all that is true."""
        at = np.unique(np.searchsorted(self.recall, np.linspace(self.recall[0], 1 - 1e-12, _POINTS)))
        found = np.stack([self.recall[at], self.precision[at], sigmoid(self.odds[at])], 1)
        return [[float(f"{number:.4g}") for number in point] for point in found.tolist()]
