"""A number per row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..core.seeds import generator
from . import intervals
from .evaluation import Evaluation, check, check_weights
from .intervals import TAIL, Floats, Interval

POINTS = 2000  # as many as a scatter plot can show


def regress(prediction: NDArray[Any], target: NDArray[Any], *, weights: NDArray[Any] | None = None, seed: int = 0) -> Evaluation:
    """Score predictions [N] against numbers [N].

    mse, mae   mean squared and mean absolute error.        rmse   √mse, in the target's unit.
    r2         1 − mse ÷ variance of the target: 1 is perfect, 0 is no better than the mean of these very rows.
               Undefined (nan) where the target never varies.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    guess, truth = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    check("prediction", guess, len(truth), 1)
    check("target", truth, len(truth), 1)
    check_weights(weights, len(truth))
    scale = intervals.effective(weights, len(truth))
    square = (guess - truth) ** 2
    mse = intervals.mean(square, scale, low=0)
    shown = np.arange(len(truth))
    if len(truth) > POINTS:
        shown = np.sort(generator(seed, "scatter").choice(len(truth), POINTS, replace=False))
    return Evaluation(
        metrics={
            "mse": mse,
            "rmse": Interval(math.sqrt(mse.value), math.sqrt(mse.low), math.sqrt(mse.high)),
            "mae": intervals.mean(np.abs(guess - truth), scale, low=0),
            "r2": _r2(square, truth, scale),
        },
        predicted=guess,
        confidence=np.abs(guess - truth),
        scatter=np.stack([truth[shown], guess[shown]], 1).tolist(),
    )


def _r2(square: Floats, truth: Floats, scale: Floats) -> Interval:
    """Student's interval for log(mse ÷ variance), linearised: the logarithm of a ratio is close to symmetric."""
    n = float(scale.sum())
    deviation = (truth - (scale @ truth) / n) ** 2
    error, variance = float(scale @ square) / n, float(scale @ deviation) / n
    if variance == 0:
        return Interval(math.nan, math.nan, math.nan)
    share = error / variance
    if share == 0 or n <= 2:
        return Interval(1 - share, -math.inf if share else 1.0, 1.0)
    influence = square / error - deviation / variance
    half = float(stdtrit(n - 1, TAIL)) * math.sqrt(float(((scale * influence) ** 2).sum()) / (n * (n - 1)))
    return Interval(1 - share, 1 - share * math.exp(min(half, 700.0)), 1 - share * math.exp(-half))
