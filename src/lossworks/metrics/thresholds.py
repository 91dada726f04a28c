"""Decision thresholds: where to cut a probability into yes and no."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .intervals import Floats
from .over_rows import check, check_weights, ratio
from .temperature import FEWEST

_PARTS = 20  # of the rows, each left out once

Metric = Literal["f1", "macro_f1", "accuracy"]


def tune_thresholds(
    probability: NDArray[Any],
    target: NDArray[Any],
    weights: NDArray[Any] | None = None,
    *,
    metric: Metric = "f1",
    standard_errors: float = 0.0,
    usual: float = 0.5,
) -> list[float]:
    """The threshold per label that scores best on validation rows; a label is predicted where p >= threshold.

    ``probability`` and ``target`` (0 and 1) are [N, K], one column per label; [N] is one label, which is how two
    classes are tuned: the probability of class 1 against class 1. Every place where the score can change is
    tried. ``metric`` is the F1 of the label (the default), the mean of its F1 and that of its absence
    ("macro_f1": treats two classes alike), or the accuracy. Ties go to the threshold nearest the ``usual`` one, at which a label
    stays where the rows do not determine it: fewer than 20 of them, or all alike, or a gain over it of at most so many
    ``standard_errors`` (of the gain, by leaving out a twentieth of the rows at a time: the jackknife, Efron & Stein 1981).

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    chance = np.asarray(probability, np.float64)
    truth = np.asarray(target).astype(bool)
    check("probability", chance, len(truth), truth.ndim)
    check_weights(weights, len(truth))
    chance, truth = chance.reshape(len(truth), -1), truth.reshape(len(truth), -1)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    columns = [(usual, chance[:, k], truth[:, k], weight, metric) for k in range(chance.shape[1])]
    cuts = [_best(*column) for column in columns]
    return [usual if _is_noise(cut, standard_errors, *column) else cut for cut, column in zip(cuts, columns, strict=True)]


def _best(usual: float, chance: Floats, truth: NDArray[np.bool_], weight: Floats, metric: Metric) -> float:
    if len(truth) < FEWEST or truth.all() or not truth.any():
        return usual
    order = np.argsort(-chance, kind="stable")
    sorted_chance = chance[order]
    # With the cut after 0, 1, ... N rows: the last probability predicted yes, and the first predicted no.
    above = np.concatenate([[np.nextafter(1.0, 2.0)], sorted_chance])
    below = np.concatenate([sorted_chance, [np.nextafter(0.0, -1.0)]])
    predicted_yes = np.concatenate([[0.0], np.cumsum(weight[order])])
    hits = np.concatenate([[0.0], np.cumsum((weight * truth)[order])])
    value = _score(metric, hits, predicted_yes, float(hits[-1]), float(predicted_yes[-1]))
    value[above == below] = -1  # there is no threshold between equal probabilities
    middle = np.where((below < usual) & (above >= usual), usual, (below + above) / 2)
    cut = np.where(middle > below, middle, above)
    best = np.flatnonzero(value >= value.max() - 1e-12)
    return float(cut[best[np.abs(cut[best] - usual).argmin()]])


def _is_noise(
    cut: float, within: float, usual: float, chance: Floats, truth: NDArray[np.bool_], weight: Floats, metric: Metric
) -> bool:
    """Whether what ``cut`` gains over the usual one is ``within`` so many standard errors of nothing."""
    if cut == usual or not within:
        return False
    part = np.arange(len(truth)) % _PARTS

    def scores(at: float) -> tuple[Floats, Floats]:
        predicted = chance >= at
        sums = [np.bincount(part, weight * rows, _PARTS) for rows in (truth & predicted, predicted, truth, np.ones_like(truth))]
        hits, predicted_yes, yes, rows = (sum_.sum() - sum_ for sum_ in sums)
        whole = [sum_.sum(keepdims=True) for sum_ in sums]
        return _score(metric, hits, predicted_yes, yes, rows), _score(metric, *whole)

    (without, whole), (without_usual, whole_usual) = scores(cut), scores(usual)
    gains = without - without_usual
    error = np.sqrt((_PARTS - 1) / _PARTS * ((gains - gains.mean()) ** 2).sum())
    return bool((whole - whole_usual)[0] <= within * error)


def _score(metric: Metric, hits: Floats, predicted_yes: Floats, yes: Floats | float, rows: Floats | float) -> Floats:
    right_no = rows - yes - predicted_yes + hits
    if metric == "accuracy":
        return hits + right_no
    f1 = ratio(2 * hits, predicted_yes + yes)
    return f1 if metric == "f1" else f1 + ratio(2 * right_no, 2 * rows - predicted_yes - yes)
