"""Texts drawn from a model of language, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from .language import LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw the next token.

    temperature: divides the log-probabilities; below 1 the probable becomes more so, 0 takes the most probable.
    top_k: only the k most probable tokens are drawn from.
    top_p: only the most probable tokens that together have at least this probability (nucleus: Holtzman et al. 2020).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature is {self.temperature}; wanted 0 (the most probable token) or more.")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}; wanted 1 or more.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p}; wanted above 0, and at most 1.")

    def probabilities(self, logp: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each token is drawn with [V], of their log-probabilities [V]."""
        if self.temperature == 0:
            return np.asarray(np.arange(len(logp)) == logp.argmax(), np.float64)
        scaled = logp / self.temperature
        p = np.exp(scaled - scaled.max())
        order = np.argsort(-logp, kind="stable")
        if self.top_k is not None:
            p[order[self.top_k :]] = 0
        if self.top_p is not None:
            before = np.cumsum(p[order]) - p[order]
            p[order[before >= self.top_p * p.sum()]] = 0
        return np.asarray(p / p.sum())


def generate(
    model: LanguageModel, prompt: Sequence[int], tokens: int, sampling: Sampling, random: np.random.Generator
) -> list[int]:
    """Up to ``tokens`` tokens that follow ``prompt``; fewer where the text ends (the end is not among them)."""
    if tokens < 1:
        raise UsageError(f"tokens is {tokens}; wanted 1 or more.")
    state, drawn = model.start(), list[int]()
    for token in prompt:
        state = model.advance(state, token)
    while len(drawn) < tokens:
        p = sampling.probabilities(model.next(state))
        token = int(np.searchsorted(np.cumsum(p), random.random(), side="right"))
        token = min(token, int(np.flatnonzero(p)[-1]))  # rounding may leave the sum a little below 1
        if token == model.vocabulary.end and model.ends:
            break
        drawn.append(token)
        state = model.advance(state, token)
    return drawn
