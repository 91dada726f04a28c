"""A number per row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from . import intervals
from .evaluation import Evaluation
from .intervals import FEW, TAIL, Floats, Interval, Ints
from .over_rows import check, check_weights, group_ids
from .student import quantile

POINTS = 2000  # as many as a scatter plot can show


def regress(
    prediction: NDArray[Any],
    target: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    seed: int = 0,
    groups: NDArray[Any] | None = None,
) -> Evaluation:
    """Score predictions [N] against numbers [N].

    mse, mae   mean squared and mean absolute error.        rmse   √mse, in the target's unit.
    r2         1 − mse ÷ variance of the target: 1 is perfect, 0 is no better than the mean of these very rows.
               Undefined (nan) where the target never varies.

    Args:
        prediction: numbers [N].
        target: the true numbers [N].
        weights: how much each row counts [N]; None: all alike.
        seed: of the draws for the rows of ``scatter``.
        groups: an id for each row [N], equal for rows that are not independent, such as repeats of one text; None: all are.
            Intervals then take the group as the unit; the metrics are the same.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    guess, truth = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    check("prediction", guess, len(truth), 1)
    check("target", truth, len(truth), 1)
    check_weights(weights, len(truth))
    clusters = group_ids(groups, len(truth))
    scale = intervals.effective(weights, len(truth), clusters)
    square = (guess - truth) ** 2
    mse = intervals.mean(square, scale, clusters, low=0)
    shown = np.arange(len(truth))
    if len(truth) > POINTS:
        shown = np.sort(generator(seed, "scatter").choice(len(truth), POINTS, replace=False))
    return Evaluation(
        metrics={
            "mse": mse,
            "rmse": Interval(math.sqrt(mse.value), math.sqrt(mse.low), math.sqrt(mse.high)),
            "mae": intervals.mean(np.abs(guess - truth), scale, clusters, low=0),
            "r2": _r2(square, truth, scale, clusters),
        },
        predicted=guess,
        confidence=np.abs(guess - truth),
        scatter=np.stack([truth[shown], guess[shown]], 1).tolist(),
    )


def _r2(square: Floats, truth: Floats, scale: Floats, clusters: Ints | None) -> Interval:
    """Student's interval for log(mse ÷ variance), linearised: the logarithm of a ratio is close to symmetric."""
    n = float(scale.sum())
    deviation = (truth - (scale @ truth) / n) ** 2
    error, variance = float(scale @ square) / n, float(scale @ deviation) / n
    if variance == 0:
        return Interval(math.nan, math.nan, math.nan)
    share = error / variance
    if share == 0 or n <= 2:
        return Interval(1 - share, -math.inf if share or n < FEW else 1.0, 1.0)
    influence = square / error - deviation / variance
    half = quantile(n - 1, TAIL) * math.sqrt(intervals.square_sum(scale * influence, clusters) / (n * (n - 1)))
    return Interval(1 - share, 1 - share * math.exp(min(half, 700.0)), 1 - share * math.exp(-half))
