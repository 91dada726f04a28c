"""Temperature scaling: one number that the logits are divided by, so that probabilities are calibrated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .evaluation import check, check_weights

FEWEST = 20  # validation rows below which nothing is fitted
MOST = 100_000, 1 << 22  # rows, and logits, beyond which evenly spaced rows are used: they pin one number down well enough
BOUND = 50.0  # the temperature lies between 1/50 and 50


def fit_temperature(logits: NDArray[Any], target: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """The temperature that minimises the nll of validation rows (Guo et al. 2017, section 4.2).

    ``logits`` [N, K] with ``target`` classes [N] (softmax), or with label sets [N, K] of 0 and 1 (sigmoid per label).
    It is 1.0, which changes nothing, where the rows do not determine it: fewer than 20 of them, or a best
    temperature at the edge of [1/50, 50], as when every row is right and more confidence always has a lower nll.

    Raises:
        UsageError: arrays that do not fit together or hold non-finite numbers.
    """
    from scipy.optimize import minimize_scalar  # takes a while, and whoever predicts has no need of it

    rows, cells = MOST
    step = max(1, math.ceil(len(target) / rows), math.ceil(np.size(logits) / cells))
    truth = np.asarray(target)[::step]
    scores = np.asarray(logits)[::step].astype(np.float64)
    weight = None if weights is None else np.asarray(weights, np.float64)[::step]
    if len(truth) < FEWEST:
        return 1.0
    check("logits", scores, len(truth), 2)
    check_weights(weight, len(truth))
    nll = _softmax_nll(scores, truth, weight) if truth.ndim == 1 else _sigmoid_nll(scores, truth, weight)
    edge = math.log(BOUND)
    best = minimize_scalar(lambda log: nll(math.exp(-log)), bounds=(-edge, edge), method="bounded")
    return 1.0 if abs(best.x) > edge - 0.01 else math.exp(best.x)


def _softmax_nll(scores: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any] | None) -> Any:
    away = scores - scores[np.arange(len(truth)), truth.astype(np.int64)][:, None]
    return lambda inverse: np.average(logsumexp(away * inverse, axis=1), weights=weight)


def _sigmoid_nll(scores: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any] | None) -> Any:
    signed = np.where(truth.astype(bool), -scores, scores)
    return lambda inverse: np.average(np.logaddexp(0, signed * inverse).sum(1), weights=weight)
