"""Decision thresholds: where to cut a probability into yes and no."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .evaluation import check, check_weights, ratio
from .intervals import Floats
from .temperature import FEWEST

Metric = Literal["f1", "macro_f1", "accuracy"]


def tune_thresholds(
    probability: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None, *, metric: Metric = "f1"
) -> list[float]:
    """The threshold per label that scores best on validation rows; a label is predicted where p >= threshold.

    ``probability`` and ``target`` (0 and 1) are [N, K], one column per label; [N] is one label, which is how two
    classes are tuned: the probability of class 1 against class 1. Every place where the score can change is
    tried. ``metric`` is the F1 of the label (the default), the mean of its F1 and that of its absence
    ("macro_f1": treats two classes alike), or the accuracy. Ties go to the threshold nearest 0.5, and a label stays at
    0.5 where the rows cannot tell: fewer than 20 of them, or all alike.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    chance = np.asarray(probability, np.float64)
    truth = np.asarray(target).astype(bool)
    check("probability", chance, len(truth), truth.ndim)
    check_weights(weights, len(truth))
    chance, truth = chance.reshape(len(truth), -1), truth.reshape(len(truth), -1)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    return [_best(chance[:, k], truth[:, k], weight, metric) for k in range(chance.shape[1])]


def _best(chance: Floats, truth: NDArray[np.bool_], weight: Floats, metric: Metric) -> float:
    if len(truth) < FEWEST or truth.all() or not truth.any():
        return 0.5
    order = np.argsort(-chance, kind="stable")
    sorted_chance = chance[order]
    # With the cut after 0, 1, ... N rows: the last probability that says yes, and the first that says no.
    above = np.concatenate([[np.nextafter(1.0, 2.0)], sorted_chance])
    below = np.concatenate([sorted_chance, [np.nextafter(0.0, -1.0)]])
    said_yes = np.concatenate([[0.0], np.cumsum(weight[order])])
    hits = np.concatenate([[0.0], np.cumsum((weight * truth)[order])])
    value = _score(metric, hits, said_yes, float(hits[-1]), float(said_yes[-1]))
    value[above == below] = -1  # equal probabilities cannot be told apart
    middle = np.where((below < 0.5) & (above >= 0.5), 0.5, (below + above) / 2)
    cut = np.where(middle > below, middle, above)
    best = np.flatnonzero(value >= value.max() - 1e-12)
    return float(cut[best[np.abs(cut[best] - 0.5).argmin()]])


def _score(metric: Metric, hits: Floats, said_yes: Floats, yes: float, rows: float) -> Floats:
    right_no = rows - yes - said_yes + hits
    if metric == "accuracy":
        return hits + right_no
    f1 = 2 * hits / (said_yes + yes)
    return f1 if metric == "f1" else f1 + ratio(2 * right_no, 2 * rows - said_yes - yes)
