"""A text with the surprisal of each of its tokens and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import Languages
from ..tokens.graphemes import whole

BIT = math.log(2)
"""Nats in a bit."""
_REDDEST = 12.0  # bits from which on a token is as deep in colour as any: one in 4096


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


class Piece(NamedTuple):
    """A part of a text as it is shown: what stands before it and is of no token (the white space that a tokenizer of words leaves
    out; a space before the end), its characters with line ends marked, its tokens ``first`` to ``last``, and their bits.
    """

    gap: str
    text: str
    first: int
    last: int
    bits: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's tokens (its end among them, where the model predicts it) and the surprisal of each.

    nats: the surprisals.
    spans [tokens, 2]: which characters each token stands for, the end for none: the first, and the one after the last.
    unspelled: how many bytes of the text are of unknown tokens.
    """

    text: str
    tokens: tuple[str, ...]
    nats: NDArray[np.float64]
    spans: NDArray[np.int64]
    unspelled: int = 0

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
        """What white space parts. Every token is of one word, so their surprisals sum to the text's. White space that is a token,
        or begins one, is of the word after it; what has no word after it, such as the text's end, is a last one of its own; words
        that one token stands across are one.
        """
        firsts = [*np.flatnonzero(self._begins()).tolist(), len(self.tokens)]
        parts = pairwise(firsts)
        return tuple(Word(self._word(first, last), first, last, float(self.nats[first:last].sum())) for first, last in parts)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The text as its tokens are shown in it: each a piece, but that tokens which share a character (bytes, marks, joined
        emoji) are one.
        """
        pieces, before, bits = [], 0, self.bits
        for first, last in whole(self.text, self.spans.tolist()):
            begin, end = int(self.spans[first, 0]), int(self.spans[first:last, 1].max())
            text = self.tokens[first] if last - first == 1 and self.text[begin:end] != "\n" else self.text[begin:end]
            gap = self.text[before:begin] or " " * (begin == end)
            pieces.append(Piece(gap, text.replace("\n", "⏎\n"), first, last, float(bits[first:last].sum())))
            before = max(before, end)
        return tuple(pieces)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values, surprisals in both units; what is not finite as None. ``characters`` is a token's place in
        the text, the first and the one after the last; ``tokens`` of a word are their numbers.
        """
        return {
            "text": self.text,
            "logp": _finite(self.logp),
            **_both(-self.logp),
            "perplexity": _finite(self.perplexity),
            "tokens": [
                {"token": token, **_both(nats), "probability": math.exp(-nats), "characters": span}
                for token, nats, span in zip(self.tokens, self.nats.tolist(), self.spans.tolist(), strict=True)
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


def by_language(scored: Sequence[Scored], languages: Languages) -> dict[str, Any]:
    """The texts' surprisal by language: nats a token, bits a byte, nats a text; as ``languages`` of ``evaluate``."""
    nats = np.array([row.nats.sum() for row in scored], np.float64)
    counts = ((len(row.nats), len(row.text.encode()), row.unspelled) for row in scored)
    positions, sizes, unspelled = (np.array(each, np.int64) for each in zip(*counts, strict=True))
    some = (unspelled > 0).astype(np.int64)  # texts that hold what is unknown: how many tokens that are does not matter here
    of = metrics.SegmentCounts(np.append(0, positions.cumsum()), positions, sizes.astype(float), some, unspelled)

    def metrics_of(rows: NDArray[np.int64]) -> dict[str, metrics.Interval]:
        return metrics.of_texts(nats[rows], of.take(rows))

    texts = np.array([row.text for row in scored])
    return metrics.by_language("nats_per_text", metrics.whole_texts(nats, texts), languages, metrics_of)


def heat(bits: float) -> float:
    """How deep the colour of a token is, 0 to 1."""
    return min(bits / _REDDEST, 1.0)


def perplexity(nats: NDArray[np.float64]) -> float:
    """exp of the mean surprisal; infinite where something was impossible, nan where there is nothing."""
    with np.errstate(over="ignore"):
        return float(np.exp(nats.mean())) if len(nats) else math.nan


def together(scored: Sequence[Scored]) -> dict[str, float | None]:
    """Bits, nats and perplexity of all texts as one; None where they are not finite."""
    nats = np.concatenate([np.empty(0), *(row.nats for row in scored)])
    return {**_both(float(nats.sum())), "perplexity": _finite(perplexity(nats))}


def write_scored(scored: Sequence[Scored], path: Path | str, *, name: str, facts: Sequence[str] = ()) -> Path:
    """Write scored texts as one coloured HTML file, ``facts`` below its ``name``, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    from .. import report

    texts = [row.to_json() for row in scored]
    for row, text in zip(scored, texts, strict=True):
        for token, bits in zip(text["tokens"], row.bits.tolist(), strict=True):
            token["heat"] = heat(bits)
        text["pieces"] = [{**piece._asdict(), "heat": heat(piece.bits)} for piece in row.pieces]
    return report.write_scored(name, facts, texts, Path(path))


def _both(nats: float) -> dict[str, float | None]:
    return {"bits": _finite(nats / BIT), "nats": _finite(nats)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
