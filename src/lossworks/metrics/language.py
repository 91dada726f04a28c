"""Metrics of a language model, from the surprisal at each position, with intervals over segments.

The texts of a test part are drawn at random, their positions are not; so an interval over positions would be too narrow. Every
interval here is over segments: the texts, or up to a hundred equal parts of a single long text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Languages
from .by_language import by_language
from .contrast import Losses
from .intervals import Floats, Interval, Ints, ratio

MAX_SEGMENTS, _SHORTEST = 100, 20
"""Segments that one long text is cut into at most, and the fewest positions of one."""
_A_BYTE = 8 * math.log(2)  # nats that an unknown token is charged for each byte: what spelling costs that knows nothing
MOST_UNKNOWN = 0.05
"""The share of unknown tokens from which on a model's bits a byte are too much of that charge for it to be called the best."""


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """Tokens, bytes in UTF-8, unknown tokens and the bytes of these of each segment [U]. ``bounds`` [U + 1]: its positions, those
    of predictions.
    """

    bounds: Ints
    tokens: Ints
    bytes: Floats
    unknown: Ints
    unspelled: Ints

    @property
    def positions(self) -> Ints:
        """How many positions each has."""
        return np.diff(self.bounds)

    def take(self, rows: Ints) -> SegmentCounts:
        """Of some of the segments, side by side."""
        bounds = np.concatenate([[0], np.cumsum(self.positions[rows])])
        return SegmentCounts(bounds, self.tokens[rows], self.bytes[rows], self.unknown[rows], self.unspelled[rows])

    def spelled(self, nats: Floats) -> Floats:
        """What segments that cost ``nats`` [U] in tokens cost with every byte paid for: 8 bits for each of an unknown token."""
        return nats + _A_BYTE * self.unspelled

    def sums(self, values: NDArray[Any]) -> Floats:
        """Sums over each segment of values at each position; infinite where one of them is."""
        infinite = np.isposinf(values)
        found = _between(np.where(infinite, 0.0, values.astype(np.float64)), self.bounds)
        found[_between(infinite, self.bounds) > 0] = np.inf
        return found


def count_segments(offsets: Ints, ends: bool, sizes: Ints, unknown: NDArray[Any], unspelled: NDArray[Any]) -> SegmentCounts:
    """Counts of the texts, or of segments of a single one. ``sizes`` [texts]: bytes; ``unknown`` [tokens]: which are, and how
    many bytes that leaves ``unspelled``.
    """
    if len(offsets) == 2 and not ends:
        count = int(offsets[1])
        bounds = np.linspace(0, count, max(min(MAX_SEGMENTS, count // _SHORTEST), 1) + 1).astype(np.int64)
        shares = np.diff(bounds)
        even = shares * (float(sizes[0]) / max(count, 1))
        return SegmentCounts(bounds, shares, even, _between(unknown, bounds), _between(unspelled, bounds))
    bounds = offsets + (np.arange(len(offsets)) if ends else 0)
    tokens, unknown, unspelled = np.diff(offsets), _between(unknown, offsets), _between(unspelled, offsets)
    return SegmentCounts(bounds, tokens, sizes.astype(np.float64), unknown, unspelled)


def count_between(begins: Ints, cuts: Ints, sizes: Ints, unknown: NDArray[Any], unspelled: NDArray[Any]) -> SegmentCounts:
    """Counts of the segments of one text between the characters ``cuts``, the same for every tokenizer: a token is of the segment
    that it begins in. ``begins`` [tokens], rising: characters; ``sizes``: bytes of each segment; ``unknown`` and ``unspelled`` as
    of ``count_segments``.
    """
    bounds = np.searchsorted(begins, cuts).astype(np.int64)
    tokens, unknown, unspelled = np.diff(bounds), _between(unknown, bounds), _between(unspelled, bounds)
    return SegmentCounts(bounds, tokens, sizes.astype(np.float64), unknown, unspelled)


def surprisal(logp: Floats, of: SegmentCounts) -> dict[str, Interval]:
    """nats_per_token, perplexity and bits_per_byte of log-probabilities [positions]. In the last, which compares between
    tokenizers, an unknown token costs 8 bits more for each of its bytes: it is predicted, but not spelled.
    """
    return surprisal_of(of.sums(-logp), of)


def surprisal_of(nats: Floats, of: SegmentCounts) -> dict[str, Interval]:
    """The same of segments' ``nats`` [U]."""
    token = ratio(nats, of.positions.astype(np.float64), low=0.0)
    byte = bits_per(of.spelled(nats), of.bytes)
    perplexity = Interval(*(_exp(number) for number in (token.value, token.low, token.high)))
    return {"nats_per_token": token, "perplexity": perplexity, "bits_per_byte": byte}


def by_segment(nats: Floats, of: SegmentCounts) -> dict[str, Floats]:
    """nats_per_token and bits_per_byte of each segment [U], from the segments' ``nats``, for comparisons: the plain mean over the
    segments is the metric itself, and a segment counts by its size (value + U × its influence on the ratio of sums).
    """
    return {"nats_per_token": _linear(nats, of.positions), "bits_per_byte": _linear(of.spelled(nats) / math.log(2), of.bytes)}


def linear_sums(values: Floats, sizes: NDArray[Any]) -> Floats:
    """The segments' sums [U] again, from ``by_segment``'s ``values`` of a metric and the ``sizes`` that it is a rate of."""
    value = float(values.mean())
    return np.asarray(value * sizes + (values - value) * (float(sizes.sum()) / len(values)))


def bits_between(nats: Floats, others: Floats, sizes: NDArray[Any]) -> Interval:
    """How many bits a byte more ``nats`` are than ``others``, both sums over the same segments [U] of ``sizes`` bytes. The
    interval is that of the paired differences: what makes a segment hard for both does not widen it.
    """
    return ratio((nats - others) / math.log(2), sizes.astype(np.float64))


def bits_per(nats: Floats, sizes: NDArray[Any]) -> Interval:
    """Bits a character or a byte, from sums over segments [U] and their ``sizes`` in these."""
    return ratio(nats / math.log(2), sizes.astype(np.float64), low=0.0)


def unknown_rate(of: SegmentCounts) -> Interval:
    """The share of tokens that are unknown."""
    return ratio(of.unknown.astype(np.float64), of.tokens.astype(np.float64), 0.0, 1.0)


def hit_rate(hits: Sequence[int], positions: Sequence[int]) -> Interval:
    """The share of positions whose most probable token is the true one, of texts' hits and positions."""
    return ratio(np.array(hits, np.float64), np.array(positions, np.float64), 0.0, 1.0)


def of_texts(nats: Floats, of: SegmentCounts) -> dict[str, Interval]:
    """``surprisal_of`` texts that are apart, and nats_per_text."""
    return {**surprisal_of(nats, of), "nats_per_text": ratio(nats, np.ones(len(nats)), low=0.0)}


def texts_by_language(nats: Floats, of: SegmentCounts, keys: NDArray[Any], languages: Languages) -> dict[str, Any]:
    """The metrics of each language, of texts' ``nats`` [U], ordered by nats_per_text: of texts that say the same these compare
    between languages. What is counted in tokens or bytes does not, for one language says in few what another needs many for.

    Args:
        of: the texts' counts. keys: equal for equal texts [U]. languages: of the texts.
    """

    def metrics_of(rows: NDArray[np.int64]) -> dict[str, Interval]:
        own = of.take(rows)
        return of_texts(nats[rows], own) | {"unknown_rate": unknown_rate(own)}

    return by_language("nats_per_text", whole_texts(nats, keys), languages, metrics_of)


def whole_texts(nats: Floats, keys: NDArray[Any]) -> Losses:
    """What each text costs [U], those left out that hold a token of probability 0. keys: equal for equal texts."""
    finite = np.isfinite(nats)
    return Losses(np.where(finite, nats, 0.0), finite.astype(np.float64), keys)


def unigram(counts: Ints, start: int | None) -> Floats:
    """log p [V] of the unigram baseline: counts plus one, of all but the start,
    which is never predicted; None: it is the end too.
    """
    weights = counts + 1.0
    if start is not None:
        weights[start] = 0
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weights / weights.sum()))


def _linear(sums: Floats, sizes: NDArray[Any]) -> Floats:
    """The ratio of the sums of both, plus as many times as there are segments what each moves it by."""
    value, total = float(sums.sum()) / float(sizes.sum()), float(sizes.sum())
    return np.asarray(value + len(sums) * (sums - value * sizes) / total)


def _between(values: NDArray[Any], bounds: Ints) -> NDArray[Any]:
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    return np.asarray(running[bounds[1:]] - running[bounds[:-1]])


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
