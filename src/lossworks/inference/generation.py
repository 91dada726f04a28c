"""Texts drawn from a language model, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..models.language import LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw the next token. What is cut off is cut off after the temperature, in the order given here; what keeps a text
    from repeating itself comes before that.

    temperature: divides the log-probabilities; below 1 the probable becomes more so, 0 takes the most probable.
    top_k: only the k most probable tokens are drawn from.
    top_p: only the most probable tokens that together have at least this probability (nucleus: Holtzman et al. 2020).
    min_p: only tokens at least this share as probable as the most probable one (Nguyen et al. 2024, arXiv:2407.01082).
    repetition_penalty: logits of tokens that stand in the text so far, its beginning included, are divided by it where they are
        positive and multiplied where negative (Keskar et al. 2019, arXiv:1909.05858); 1 is none.
    no_repeat_ngram: so many tokens never follow one another in the text twice (Paulus et al. 2018, arXiv:1705.04304).
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature is {self.temperature}; wanted 0 (the most probable token) or more.")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}; wanted 1 or more.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p}; wanted above 0, and at most 1.")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise UsageError(f"min_p is {self.min_p}; wanted 0 to 1.")
        if not 0 < self.repetition_penalty < float("inf"):
            raise UsageError(f"repetition_penalty is {self.repetition_penalty}; wanted above 0, and 1 for none.")
        if self.no_repeat_ngram is not None and self.no_repeat_ngram < 1:
            raise UsageError(f"no_repeat_ngram is {self.no_repeat_ngram}; wanted 1 or more tokens.")

    def restrained(self, logits: NDArray[np.float64], text: Sequence[int]) -> NDArray[np.float64]:
        """The logits [V] of the token that follows ``text``, with less for what would repeat it."""
        logits = logits.copy()
        if self.repetition_penalty != 1:
            seen = np.unique(np.asarray(text, np.int64))
            old = logits[seen]
            logits[seen] = np.where(old < 0, old * self.repetition_penalty, old / self.repetition_penalty)
        if self.no_repeat_ngram is not None:
            logits[_completing(text, self.no_repeat_ngram)] = -np.inf
        return logits

    def probabilities(self, logp: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each token is drawn with [V], of their log-probabilities [V], one of which at least is above -inf."""
        if self.temperature == 0:
            return np.asarray(np.arange(len(logp)) == logp.argmax(), np.float64)
        with np.errstate(over="ignore"):
            p = np.exp((logp - logp.max()) / self.temperature)
        if self.top_k is not None or self.top_p is not None:
            order = np.argsort(-logp, kind="stable")
            if self.top_k is not None:
                p[order[self.top_k :]] = 0
            if self.top_p is not None:
                before = np.cumsum(p[order]) - p[order]
                p[order[before >= self.top_p * p.sum()]] = 0
        if self.min_p is not None:
            p[p < self.min_p] = 0  # the most probable one has 1
        return np.asarray(p / p.sum())


def _completing(text: Sequence[int], n: int) -> list[int]:
    """The tokens that would make the last n - 1 of a text an n-gram that stands in it."""
    end = [*text[len(text) - n + 1 :]]
    return [text[i + n - 1] for i in range(len(text) - n + 1) if [*text[i : i + n - 1]] == end]


def never_drawn(model: LanguageModel) -> list[int]:
    """The tokens that are no text: the start, the end where texts have none, and what stands for all that is unknown, which says
    nothing though it may be probable. The end may be the start token as well (GPT-2's).
    """
    vocabulary = model.vocabulary
    marks = {vocabulary.start, vocabulary.end, vocabulary.unknown} - {None, vocabulary.end if model.ends else None}
    return [token for token in marks if token is not None]


def sample_tokens(
    model: LanguageModel, state: Any, sampling: Sampling, random: np.random.Generator, begun: Sequence[int] = ()
) -> Iterator[int]:
    """The tokens that follow ``state``, the one after ``begun``, one random number each, until the text ends (the end is not
    among them). Where nothing is possible the text ends too.
    """
    vocabulary, masked = model.vocabulary, never_drawn(model)
    text = [vocabulary.start, *begun]
    scores = model.next if sampling.repetition_penalty == 1 else model.logits
    while True:
        logits = sampling.restrained(scores(state), text)
        logits[masked] = -np.inf
        if logits.max() == -np.inf:
            return
        p = sampling.probabilities(logits)
        token = int(np.searchsorted(np.cumsum(p), random.random(), side="right"))
        token = min(token, int(np.flatnonzero(p)[-1]))  # rounding may leave the sum a little below 1
        if token == vocabulary.end:
            return
        yield token
        text.append(token)
        state = model.advance(state, token)


def generate(
    model: LanguageModel, prompt: Sequence[int], tokens: int, sampling: Sampling, random: np.random.Generator
) -> list[int]:
    """Up to ``tokens`` tokens that follow ``prompt``; fewer where the text ends (the end is not among them)."""
    check_tokens(tokens)
    return list(islice(sample_tokens(model, model.read(prompt), sampling, random, prompt), tokens))


def check_tokens(tokens: int) -> None:
    """Raise UsageError where nothing is to be drawn."""
    if tokens < 1:
        raise UsageError(f"max_new_tokens is {tokens}; wanted 1 or more.")
