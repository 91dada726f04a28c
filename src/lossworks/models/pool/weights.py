"""The weights of sources that make held-out outcomes most probable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .rule import FLOOR, Rule, features

Floats = NDArray[np.float64]

_ROUNDS, _GAP = 20_000, 1e-9  # of EM; nats a position that its weights may be from the best
_NOTHING = 1e-6  # a weight
_STEPS, _NEAR = 100, 1e-10  # of Newton's method; the gain, in nats a position, below which it ends
_PRIOR = 10.0  # precision of exponents around 1 / sources: of few positions they would run away, and equal sources share alike
_ALIKE = 1e-4  # of the curvature: a direction that is flatter is left open by the data
_SLOPES = 50.0  # precision of slopes around 0


def mixture(logp: Floats, size: Floats | None = None) -> Floats:
    """The weights [S] of the mixture that makes outcomes most probable, by EM (Dempster, Laird & Rubin 1977).

    Where sources are silent, the weights of those that speak are divided by their sum, and each round is a step of a minorisation
    (Hunter 2004, Annals of Statistics 32:384) that without silence is EM's.

    Args:
        logp: log-probabilities of the outcomes by source [S, n]; NaN where it is silent.
        size: what each position counts [n]; 1 if None.

    Raises:
        ValueError: no source speaks of any position.
    """
    speaks = ~np.isnan(logp)
    here = speaks.any(0)
    if not here.any():
        raise ValueError("no source speaks")
    speaks, logp = speaks[:, here], np.where(speaks[:, here], logp[:, here], -np.inf)
    top = logp.max(0)
    p = np.exp(logp - np.where(np.isfinite(top), top, 0.0))
    share = np.ones(p.shape[1]) if size is None else np.asarray(size, np.float64)[here]
    share = share / share.sum()
    weights, whole = np.full(len(p), 1 / len(p)), speaks.all()
    for _ in range(_ROUNDS):
        ratio = p @ (share / np.maximum(weights @ p, 1e-300))  # of each source; 1 where its weight is best
        if not whole:
            ratio = ratio / np.maximum(speaks @ (share / (weights @ speaks)), 1e-300)
        # The log-likelihood is concave: no weights are better than these by more than log max ratio (Cover 1984).
        if ratio.max() - 1 < _GAP or np.abs(weights * (ratio - 1)).max() < _GAP * 1e-3:
            break
        weights = weights * ratio
        weights = weights / weights.sum()
    return weights


def constant(logp: Floats, size: Floats | None = None) -> Rule:
    """The mixture with these weights everywhere; those that gain nothing are 0, so that a pool of one source is that source."""
    weights = mixture(logp, size)
    weights[weights < _NOTHING] = 0
    return Rule("linear", weights / weights.sum())


def product(answers: Floats, targets: NDArray[np.int64], size: Floats | None = None, *, by_context: bool = False) -> Rule:
    """The exponents of a normalised product, by Newton's method: their log-likelihood is concave, by context too.

    They are drawn towards a geometric mean (1 / sources each), as by some ten positions that tell it.

    Args:
        answers: log-probabilities [S, n, V]; NaN where a source is silent.
        targets: what was the outcome [n].
        size: as of ``mixture``.
        by_context: whether exponents may depend on the ``features`` of each position.
    """
    share = np.full(len(targets), 1 / len(targets)) if size is None else size / size.sum()
    inputs, center, scale = _inputs(answers, by_context)
    logp = np.maximum(np.where(np.isnan(answers), 0.0, answers), FLOOR)
    said = np.take_along_axis(logp, targets[None, :, None], 2)[..., 0]
    prior = np.zeros((len(logp), inputs.shape[1]))
    prior[:, 0] = 1 / len(logp)
    ridge = np.full(prior.shape, _SLOPES / len(targets))
    ridge[:, 0] = _PRIOR / len(targets)

    def at(weights: Floats) -> tuple[float, Floats, Floats]:
        """The mean log-likelihood less the penalty, and its first and (negative) second derivatives."""
        exponents = weights @ inputs.T
        z = log_softmax(np.einsum("sn,snv->nv", exponents, logp, optimize=True), 1)
        p = np.exp(z)
        value = (
            float(share @ np.take_along_axis(z, targets[:, None], 1)[:, 0]) - float((ridge * (weights - prior) ** 2).sum()) / 2
        )
        mean = np.einsum("nv,snv->sn", p, logp, optimize=True)
        spread = np.einsum("nv,snv,tnv->stn", p, logp, logp, optimize=True) - mean[:, None] * mean[None]
        slope = ((said - mean) * share) @ inputs - ridge * (weights - prior)
        curve = np.einsum("stn,nf,ng->sftg", spread * share, inputs, inputs, optimize=True)
        return value, slope, curve.reshape(weights.size, -1) + np.diag(ridge.ravel())

    weights = prior
    value, slope, curve = at(weights)
    for _ in range(_STEPS):
        step, length = np.linalg.solve(curve, slope.ravel()).reshape(weights.shape), 1.0
        if float((step * slope).sum()) < _NEAR:
            break
        while (found := at(weights + length * step))[0] < value and length > 1e-6:
            length /= 2
        weights, (value, slope, curve) = weights + length * step, found
    return _rule("log_linear", weights, center, scale)


def mixture_by_context(answers: Floats, targets: NDArray[np.int64], size: Floats | None = None) -> Rule:
    """A mixture whose weights depend on the ``features`` of each position, begun with constant ones; as of ``product``."""
    from scipy.optimize import minimize  # takes a while, and whoever predicts has no need of it

    share = np.full(len(targets), 1 / len(targets)) if size is None else size / size.sum()
    inputs, center, scale = _inputs(answers, True)
    said = np.take_along_axis(answers, targets[None, :, None], 2)[..., 0]
    speaks = ~np.isnan(said)
    said = np.where(speaks, np.maximum(said, FLOOR), -np.inf)
    constant = mixture(np.where(speaks, said, np.nan), size)
    begin, ridge = np.zeros((len(said), inputs.shape[1])), _SLOPES / len(targets)
    begin[:, 0] = np.log(np.maximum(constant, 1e-4))

    def lost(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(begin.shape)
        prior = log_softmax(np.where(speaks, weights @ inputs.T, -np.inf), 0)
        joint = prior + said
        total = np.logaddexp.reduce(joint, 0)
        slope = (np.exp(joint - total) - np.exp(prior)) * share
        slope = slope @ inputs - ridge * np.concatenate([np.zeros((len(begin), 1)), weights[:, 1:]], 1)
        return float(ridge * (weights[:, 1:] ** 2).sum() / 2 - share @ total), -slope.ravel()

    here = speaks.any(0)
    inputs, said, speaks, share = inputs[here], said[:, here], speaks[:, here], share[here] / share[here].sum()
    found = minimize(lost, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return _rule("linear", found.x.reshape(begin.shape), center, scale)


def left_open(logp: Floats, weights: Floats) -> list[int]:
    """Which sources' weights the outcomes [S, n] do not tell, for another mixture of these makes them as probable.

    Two equal sources: their sum is told, and not how it is divided.
    """
    p = np.exp(np.where(np.isnan(logp), -np.inf, logp))
    ratio = p / np.maximum(weights @ p, 1e-300)
    ratio = ratio[:, np.isfinite(ratio).all(0)]
    used = np.flatnonzero(weights > 1e-6)
    if len(used) < 2:
        return []
    ways = np.linalg.svd(np.ones((1, len(used))))[2][1:]  # in which weights can move, their sum staying 1
    values, vectors = np.linalg.eigh(ways @ (ratio[used] @ ratio[used].T / max(ratio.shape[1], 1)) @ ways.T)
    flat = ways.T @ vectors[:, values < _ALIKE * max(values.max(), _ALIKE)]
    return [int(source) for source in used[(np.abs(flat) > 0.1).any(1)]]


def _inputs(answers: Floats, by_context: bool) -> tuple[Floats, Floats | None, Floats | None]:
    """1 and, by context, the standardised features of each position [n, 1 + F]."""
    constant = np.ones((answers.shape[1], 1))
    if not by_context:
        return constant, None, None
    found = features(answers)
    center, scale = found.mean(0), np.maximum(found.std(0), 1e-6)
    return np.concatenate([constant, (found - center) / scale], 1), center, scale


def _rule(kind: str, weights: Floats, center: Floats | None, scale: Floats | None) -> Rule:
    return Rule(kind, weights[:, 0], None if center is None else weights[:, 1:], center, scale)
