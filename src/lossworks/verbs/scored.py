"""A text with the surprisal of each of its tokens and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BIT = math.log(2)
"""Nats in a bit."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, which is the tokens ``first`` to ``last`` - 1, and its surprisal in nats: the sum of theirs."""

    text: str
    first: int
    last: int
    nats: float

    @property
    def bits(self) -> float:
        """The surprisal in bits."""
        return self.nats / BIT


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's tokens (its end among them, where the model predicts it) and the surprisal of each.

    nats: the surprisals.
    spans [tokens, 2]: which characters each token stands for, the end for none: the first, and the one after the last.
    """

    text: str
    tokens: tuple[str, ...]
    nats: NDArray[np.float64]
    spans: NDArray[np.int64]

    @property
    def bits(self) -> NDArray[np.float64]:
        """The surprisals in bits."""
        return self.nats / BIT

    @property
    def logp(self) -> float:
        """log p of the whole text, in nats."""
        return -float(self.nats.sum())

    @property
    def perplexity(self) -> float:
        """exp of the mean surprisal; infinite of a text with an impossible token, nan of one without tokens."""
        return perplexity(self.nats)

    @property
    def words(self) -> tuple[Word, ...]:
        """What white space parts. Every token is of one word, so their surprisals have the text's sum: white space that is a token
        or stands at the beginning of one is of the word after it; what has none after it, such as the text's end, is a last word
        of its own; and words that a token stands across are one.
        """
        firsts = [*np.flatnonzero(self._begins()).tolist(), len(self.tokens)]
        pairs = zip(firsts[:-1], firsts[1:], strict=True)
        return tuple(Word(self._word(first, last), first, last, float(self.nats[first:last].sum())) for first, last in pairs)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What stands before each token and is of none: the white space that a tokenizer of words leaves out."""
        before = np.concatenate([[0], np.maximum.accumulate(self.spans[:, 1])[:-1]]).astype(np.int64)
        return tuple(self.text[first:last] for first, last in zip(before.tolist(), self.spans[:, 0].tolist(), strict=False))

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, surprisals in both units; what is not finite as None."""
        return {
            "text": self.text,
            "logp": _finite(self.logp),
            **_both(-self.logp),
            "perplexity": _finite(self.perplexity),
            "tokens": [
                {"token": token, **_both(nats), "probability": math.exp(-nats)}
                for token, nats in zip(self.tokens, self.nats.tolist(), strict=True)
            ],
            "words": [
                {"word": word.text, **_both(word.nats), "tokens": list(range(word.first, word.last))} for word in self.words
            ],
        }

    def _begins(self) -> NDArray[np.bool_]:
        """Which tokens a word begins with."""
        solid = np.flatnonzero(np.fromiter((not char.isspace() for char in self.text), np.bool_, len(self.text)))
        numbers = np.cumsum(np.diff(solid, prepend=-1) > 1) if len(solid) else solid  # the word of each
        numbers = np.append(numbers, np.iinfo(np.int64).max)  # and what comes after all words
        following = np.searchsorted(solid, self.spans[:, 0])
        inside = np.searchsorted(solid, self.spans[:, 1]) - following  # characters of each token that are of words
        first, last = numbers[following], numbers[following + np.maximum(inside - 1, 0)]
        return first > np.concatenate([[-1], np.maximum.accumulate(last)[:-1]])[: len(first)]

    def _word(self, first: int, last: int) -> str:
        word = self.text[self.spans[first, 0] : self.spans[last - 1, 1]].strip()
        return word or "".join(self.tokens[first:last])


def perplexity(nats: NDArray[np.float64]) -> float:
    """exp of the mean surprisal; infinite where something was impossible, nan where there is nothing."""
    with np.errstate(over="ignore"):
        return float(np.exp(nats.mean())) if len(nats) else math.nan


def _both(nats: float) -> dict[str, float | None]:
    return {"bits": _finite(nats / BIT), "nats": _finite(nats)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
