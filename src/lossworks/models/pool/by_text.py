"""A mixture of whole texts' probabilities, as a language model: its weights follow what of the text has been read."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...data import Ragged
from ..language import AT_ONCE
from .model import PoolModel

Floats = NDArray[np.float64]
State = tuple[Floats, tuple[Any, ...]]


class TextPoolModel(PoolModel):
    """p(text) = Σ w p_s(text). So the next token's distribution is a mixture with weights w p_s(the text so far), renormalised:
    how probable it is that the text is of each source, or of its language.

    Every source must speak everywhere. Where all hold a text impossible, the weights are as at its start.
    """

    def logp(self, texts: Ragged) -> Floats:
        bounds, found, first = self.bounds(texts), [np.empty(0)], 0
        while first < len(texts):  # as many texts together as have AT_ONCE numbers, or one
            room = bounds[first] + AT_ONCE // len(self.sources)
            last = max(int(np.searchsorted(bounds, room, side="right")) - 1, first + 1)
            some = texts.take(np.arange(first, last))
            said = np.stack([source.logp(some) for source in self.sources])
            found.append(logsumexp(said + self._weights(said, self.bounds(some)), 0))
            first = last
        return np.concatenate(found)

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], Floats]:
        weights = self._weights(np.stack([source.logp(texts) for source in self.sources]), self.bounds(texts))
        each = [source.at(texts) for source in self.sources]

        def answers(positions: NDArray[np.int64]) -> Floats:
            said = np.stack([one(positions) for one in each])
            return np.asarray(logsumexp(said + weights[:, positions, None], 0))

        return answers

    def start(self) -> State:
        return self._prior, super().start()

    def advance(self, state: State, token: int) -> State:
        weights, inner = state
        said = np.array([source.next(each)[token] for source, each in zip(self.sources, inner, strict=True)])
        return self._normal(weights + said), super().advance(inner, token)

    def next(self, state: State) -> Floats:
        said = np.stack([source.next(each) for source, each in zip(self.sources, state[1], strict=True)])
        return np.asarray(logsumexp(said + state[0][:, None], 0))

    @property
    def _prior(self) -> Floats:
        with np.errstate(divide="ignore"):
            return np.log(self.rule.weights)

    def _weights(self, said: Floats, bounds: NDArray[np.int64]) -> Floats:
        """Their logarithms [S, n] before each position, from what the sources say of each [S, n]."""
        before = np.empty_like(said)
        for first, end in pairwise(bounds):
            np.cumsum(said[:, first : end - 1], 1, out=before[:, first + 1 : end])
            before[:, first : first + 1] = 0
        return self._normal(before + self._prior[:, None])

    def _normal(self, weights: Floats) -> Floats:
        total = logsumexp(weights, 0)
        prior = self._prior.reshape(-1, *[1] * (weights.ndim - 1))
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(total), prior, weights - total)
