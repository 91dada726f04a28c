"""A cache: what a text has said already is more probable to come again, the more so the more recent it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...data import Ragged
from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageModel
from .untrained import UntrainedSpec

State = tuple[NDArray[np.float64], float]


@models.add("cache", source="Kuhn & De Mori 1990, IEEE PAMI 12:570; Clarkson & Robinson 1997, ICASSP (decay)")
@dataclass(frozen=True, kw_only=True)
class CacheSpec(UntrainedSpec):
    """Each token by how often, and how recently, it stands in the text before. For a pool: by itself it knows no new word.

    Keys: decay, what a token counts for less with each step back, 0.998.
    """

    decay: float = 0.998

    def __post_init__(self) -> None:
        if not 0 < self.decay < 1:
            raise UsageError(f"decay is {self.decay}; wanted more than 0 and less than 1.")

    def made(self, vocabulary: Vocabulary, ends: bool) -> CacheModel:
        return CacheModel(vocabulary, self.decay, ends=ends)


class CacheModel(LanguageModel):
    """p(w) is the share of w among the text's tokens so far, each times decay^(steps back). Silent, NaN, at a text's start."""

    def __init__(self, vocabulary: Vocabulary, decay: float, *, ends: bool = True) -> None:
        self.vocabulary, self.decay, self.ends = vocabulary, decay, ends

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        bounds = self.bounds(texts)
        found = np.empty(int(bounds[-1]))
        _targets(self.targets(texts), bounds, self.vocabulary.size, self.decay, found)
        return found

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        return self.at(texts)(np.arange(int(self.bounds(texts)[-1])))

    def at(self, texts: Ragged) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
        tokens, bounds = self.targets(texts), self.bounds(texts)

        def answers(positions: NDArray[np.int64]) -> NDArray[np.float64]:
            order, found = np.argsort(positions, kind="stable"), np.empty((len(positions), self.vocabulary.size))
            _rows(tokens, bounds, positions[order], order, self.decay, found)
            with np.errstate(divide="ignore"):
                return np.log(found, out=found)

        return answers

    def start(self) -> State:
        return np.zeros(self.vocabulary.size), 0.0

    def advance(self, state: State, token: int) -> State:
        counts = state[0] * self.decay
        counts[token] += self.decay
        return counts, state[1] * self.decay + self.decay

    def next(self, state: State) -> NDArray[np.float64]:
        if state[1] == 0:
            return np.full(self.vocabulary.size, np.nan)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(state[0] / state[1]))

    def save(self, folder: Path) -> None:
        """The spec says all."""


@njit(cache=True, nogil=True)
def _targets(tokens, bounds, size, decay, out):  # type: ignore[no-untyped-def]
    """log p of each token; of a text's first NaN."""
    counts, last, text_of = np.zeros(size), np.zeros(size, np.int64), np.full(size, -1, np.int64)
    for text in range(len(bounds) - 1):
        total = 0.0
        for i in range(bounds[text], bounds[text + 1]):
            token = tokens[i]
            before = counts[token] * decay ** (i - last[token]) if text_of[token] == text else 0.0
            out[i] = np.log(before / total) if total > 0 else np.nan
            counts[token], last[token], text_of[token] = before + 1, i, text
            total = (total + 1) * decay


@njit(cache=True, nogil=True)
def _rows(tokens, bounds, positions, places, decay, out):  # type: ignore[no-untyped-def]
    """p of every token at ``positions``, which rise, into the rows ``places``."""
    size, text, at = out.shape[1], -1, 0
    counts, last, total = np.zeros(size), np.zeros(size, np.int64), 0.0
    for j in range(len(positions)):
        place = positions[j]
        if text < 0 or place >= bounds[text + 1]:
            text = np.searchsorted(bounds, place, side="right") - 1
            at, total = bounds[text], 0.0
            counts[:] = 0
        while at < place:
            token = tokens[at]
            counts[token] = counts[token] * decay ** (at - last[token]) + 1
            last[token] = at
            total = (total + 1) * decay
            at += 1
        for token in range(size):
            out[places[j], token] = counts[token] * decay ** (place - last[token]) / total if total > 0 else np.nan
