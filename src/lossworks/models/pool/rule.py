"""How the answers of several sources are made one distribution: a mixture of theirs, or a normalised product of their powers.

    linear       p = Σ w_s p_s              weights of 0 and more, which sum to 1
    log_linear   p = Π p_s^w_s / Z          weights of any sign: an anti-expert's is below 0 (Hinton 2002; Liu et al. 2021)

Weights may depend on the context by what the sources themselves show of it, how uncertain and how confident each is: then
log w (linear) or w (log_linear) is linear in these features. A source that is silent, NaN, has no say; the others share
its weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

Floats = NDArray[np.float64]

KINDS = ("linear", "log_linear")
BY_TEXT = "by_text"
"""A linear rule whose weights follow the text (``TextPoolModel``)."""
FLOOR = -50.0
"""Nats that a source's log 0 counts as where its weight is not above 0; elsewhere it stays log 0."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The weights [S] of sources; by context, what they are at mean features, and ``slopes`` [S, 2S] in standardised ones.

    Of a linear rule with slopes, ``weights`` are logarithms. center, scale [2S]: of the features.
    """

    kind: str
    weights: Floats
    slopes: Floats | None = None
    center: Floats | None = None
    scale: Floats | None = None

    def combine(self, logp: Floats) -> Floats:
        """The pool's log-probabilities [n, V], of those of its sources [S, n, V]; uniform where all are silent."""
        weights, speaks = self._at(logp), ~np.isnan(logp[:, :, 0])
        logp = np.where(speaks[..., None], logp, 0.0)
        with np.errstate(divide="ignore"):
            mixed: Floats = _mixed(logp, weights, speaks) if self.kind == "linear" else _multiplied(logp, weights * speaks)
        mixed[~speaks.any(0)] = -np.log(logp.shape[2])
        return mixed

    def of_targets(self, logp: Floats, outcomes: int) -> Floats:
        """The same of single outcomes [S, n] -> [n], by linear weights that are the same in every context; ``outcomes``: V."""
        speaks = ~np.isnan(logp)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(speaks, np.log(self.weights)[:, None], -np.inf)
            mixed: Floats = logsumexp(np.where(speaks, logp, 0.0) + weights, 0) - logsumexp(weights, 0)
        mixed[~speaks.any(0)] = -np.log(outcomes)
        return mixed

    def mean_weights(self, logp: Floats) -> Floats:
        """What weights the sources have on average [S], at positions with these answers [S, n, V]."""
        return np.asarray(self._at(logp).mean(1))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        given = {"weights": self.weights, "slopes": self.slopes, "center": self.center, "scale": self.scale}
        return {"kind": self.kind} | {name: None if value is None else value.tolist() for name, value in given.items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Rule:
        """What ``to_json`` gave. Raises KeyError, TypeError or ValueError where it does not fit."""
        arrays = [value[name] for name in ("weights", "slopes", "center", "scale")]
        weights, *more = (None if each is None else np.asarray(each, np.float64) for each in arrays)
        if value["kind"] not in (*KINDS, BY_TEXT) or weights is None or weights.ndim != 1:
            raise ValueError(f"no weights of a pool: {value}")
        return cls(value["kind"], weights, *more)

    def _at(self, logp: Floats) -> Floats:
        """Weights [S, n] at each position; of a linear rule they sum to 1."""
        weights = np.repeat(self.weights[:, None], logp.shape[1], 1)
        if self.slopes is None or self.center is None or self.scale is None:
            return weights
        weights += self.slopes @ ((features(logp) - self.center) / self.scale).T
        return np.exp(log_softmax(weights, 0)) if self.kind == "linear" else weights


def features(logp: Floats) -> Floats:
    """What the answers [S, n, V] of sources show of a context: the entropy and the largest log-probability of each [n, 2S].

    Of a silent source they are those of a uniform one.
    """
    uniform = np.log(logp.shape[2])
    with np.errstate(invalid="ignore"):
        entropy = -(np.exp(logp) * np.maximum(logp, FLOOR)).sum(2)
    both = np.concatenate([np.nan_to_num(entropy, nan=uniform), np.nan_to_num(logp.max(2), nan=-uniform)])
    return np.ascontiguousarray(both.T)


def _mixed(logp: Floats, weights: Floats, speaks: NDArray[np.bool_]) -> Floats:
    shares = weights * speaks
    shares = shares / np.maximum(shares.sum(0), 1e-300)
    p = np.zeros(logp.shape[1:])
    for source, share in zip(logp, shares, strict=True):
        p += share[:, None] * np.exp(source)
    return np.log(p, out=p)


def _multiplied(logp: Floats, weights: Floats) -> Floats:
    product, forbidden = np.zeros(logp.shape[1:]), np.zeros(logp.shape[1:], bool)
    for source, weight in zip(logp, weights, strict=True):
        product += weight[:, None] * np.maximum(source, FLOOR)
        forbidden |= np.isneginf(source) & (weight > 0)[:, None]
    forbidden &= ~np.asarray(forbidden.all(1))[:, None]  # where nothing is left that all allow, they are weighed instead
    found: Floats = log_softmax(np.where(forbidden, -np.inf, product), 1)
    return found
