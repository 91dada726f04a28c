"""Laws fitted by the Huber loss of log-losses, from several starts, for many weightings of the runs at once."""

from __future__ import annotations

import numpy as np

from .forms import Array, Form

DELTA = 1e-3  # of the Huber loss, as in Hoffmann et al. 2022, appendix D.3
_KEPT, _STEPS = 6, 100  # starts that are descended from, and steps at most
_SPREAD = 0.5  # of an exponent's logarithm around what has been published,
_NOISE = 0.006  # where log-losses of like runs differ by this: what that counts for beside the runs


def fit(form: Form, x: Array, y: Array, weights: Array) -> Array:
    """The coefficients (p) that fit the log-losses ``y`` (R) of runs at ``x`` (R, 2) best, of several starts."""
    starts = form.starts(y)
    order = np.argsort((weights * _huber(form.value(starts, x)[0] - y)).sum(-1))
    found, objective = descend(form, x, y, np.broadcast_to(weights, (_KEPT, len(y))), starts[order[:_KEPT]], _STEPS)
    best: Array = found[objective.argmin()]
    return best


def descend(form: Form, x: Array, y: Array, weights: Array, theta: Array, steps: int) -> tuple[Array, Array]:
    """Levenberg and Marquardt's steps on reweighted squares from each of ``theta`` (B, p), with its own ``weights`` (B, R).

    A step that does not lower the objective is not taken, so neither an outlier nor a bad start can make a fit worse.

    Returns:
        The coefficients (B, p) and the objective (B) they reach.
    """
    centre, stiffness = np.zeros(theta.shape[1]), np.zeros(theta.shape[1])
    for i, published in form.exponents.items():
        centre[i], stiffness[i] = np.log(published), DELTA * _NOISE / _SPREAD**2

    def judged(theta: Array) -> tuple[Array, Array, Array]:
        value, slopes = form.value(theta, x)
        pull = (stiffness * (theta - centre) ** 2).sum(-1) / 2
        return value, slopes, (weights * _huber(value - y)).sum(-1) + pull

    damping, eye = np.full(len(theta), 1e-3), np.eye(theta.shape[1])
    value, slopes, objective = judged(theta)
    for _ in range(steps):
        miss = value - y
        pulled = weights * np.minimum(1, DELTA / np.maximum(np.abs(miss), 1e-300))
        gradient = np.einsum("brp,br->bp", slopes, pulled * miss) + stiffness * (theta - centre)
        curvature = slopes.transpose(0, 2, 1) @ (slopes * pulled[..., None]) + np.diag(stiffness)
        ridge = damping[:, None] * np.einsum("bpp->bp", curvature) + 1e-12
        step = np.linalg.solve(curvature + ridge[:, :, None] * eye, -gradient[..., None])[..., 0]
        tried = theta + np.clip(step, -1, 1)
        new_value, new_slopes, new_objective = judged(tried)
        better = new_objective <= objective
        settled = np.abs(objective - new_objective) <= 1e-9 * objective
        theta, value = np.where(better[:, None], tried, theta), np.where(better[:, None], new_value, value)
        slopes = np.where(better[:, None, None], new_slopes, slopes)
        objective = np.where(better, new_objective, objective)
        damping = np.clip(np.where(better, damping * 0.3, damping * 5), 1e-9, 1e9)
        if (settled | (damping > 1e8)).all():
            break
    return theta, objective


def _huber(miss: Array) -> Array:
    size = np.abs(miss)
    return np.where(size <= DELTA, miss * miss / 2, DELTA * (size - DELTA / 2))
