"""Temperature scaling: one number that the logits are divided by, so that probabilities are calibrated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .over_rows import check, check_weights
from .probabilities import sigmoid

FEWEST = 20  # validation rows below which nothing is fitted
MOST = 100_000, 1 << 22  # rows, and logits, beyond which evenly spaced rows are used: they pin one number down well enough
EDGE = 50.0  # the temperature lies between 1/50 and 50
PRECISION = 1e-9


def fit_temperature(logits: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """The temperature that minimises the nll of validation rows (Guo et al. 2017, section 4.2).

    ``logits`` [N, K] with ``target`` classes [N] (softmax), or with label sets [N, K] of 0 and 1 (sigmoid per label).
    It is 1.0, which changes nothing, where the rows do not determine it: fewer than 20 of them, or a best
    temperature at the edge of [1/50, 50], as when every row is right and more confidence always has a lower nll.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    rows, cells = MOST
    step = max(1, math.ceil(len(target) / rows), math.ceil(np.size(logits) / cells))
    truth = np.asarray(target)[::step]
    scores = np.asarray(logits)[::step].astype(np.float64)
    weight = None if weights is None else np.asarray(weights, np.float64)[::step]
    if len(truth) < FEWEST:
        return 1.0
    check("logits", scores, len(truth), 2)
    check_weights(weight, len(truth))
    slopes = _softmax_slopes(scores, truth, weight) if truth.ndim == 1 else _sigmoid_slopes(scores, truth, weight)
    return 1 / _lowest(slopes)


def _lowest(slopes: Callable[[float], tuple[float, float]]) -> float:
    """Where a convex function has its minimum, by Newton's method; 1.0 where that is at the edge of [1/50, 50].

    ``slopes`` gives the first and the second derivative. Where a step would leave the interval that holds the
    minimum, that is halved (by its logarithm).
    """
    low, high, at = 1 / EDGE, EDGE, 1.0
    if slopes(low)[0] >= 0 or slopes(high)[0] <= 0:
        return 1.0
    while True:
        first, second = slopes(at)
        low, high = (at, high) if first < 0 else (low, at)
        to = at - first / second if second > 0 else math.inf
        to = to if low < to < high else math.sqrt(low * high)
        if abs(to - at) <= PRECISION * at:
            return to
        at = to


def _softmax_slopes(scores: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any] | None) -> Any:
    away = scores - scores.max(1, keepdims=True)
    square = away * away
    target = away[np.arange(len(truth)), truth.astype(np.int64)]

    def slopes(inverse: float) -> tuple[float, float]:
        p = np.exp(inverse * away)
        total = p.sum(1)
        first, second = (np.einsum("nk,nk->n", p, each) / total for each in (away, square))
        return float(np.average(first - target, weights=weight)), float(np.average(second - first * first, weights=weight))

    return slopes


def _sigmoid_slopes(scores: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any] | None) -> Any:
    signed = np.where(truth.astype(bool), -scores, scores)

    def slopes(inverse: float) -> tuple[float, float]:
        p = sigmoid(inverse * signed)
        each = (signed * p).sum(1), (signed * signed * p * (1 - p)).sum(1)
        first, second = (float(np.average(of, weights=weight)) for of in each)
        return first, second

    return slopes
