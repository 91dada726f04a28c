"""From texts to weighted ids: which hashed n-grams are kept, and what each weighs.

What is learnt: which buckets occur (numbered by falling frequency, so that the
busiest rows of a table lie together), and how many texts each occurs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, RecordError
from ..core.kernels import kernel
from ..core.threads import available, share
from ..tokens.ngrams import hashed_ngrams, located_ngrams
from .features import Features, Selected
from .ragged import Ragged

_FEWEST = 64  # slots of a table
_DROPPED = np.uint32(2**32 - 1)  # stands for the feature of a bucket that is not kept


@dataclass(slots=True)
class HashedFeatures(Features):
    """Hashed n-grams of words and characters (see ``tokens.ngrams``), selected and weighted.

    ``norm="tfidf"``: each occurrence weighs (log((1 + N)/(1 + n)) + 1)^idf, with N training texts of which n have it; the words
    of a text are then scaled to the length √share and its characters to √(1 - share), so that together they have 1.
    ``norm="mean"``: each occurrence weighs 1/length, so that a table's row sums are means.
    """

    words: int
    chars: int
    bits: int
    min_count: int
    max_features: int
    norm: Literal["tfidf", "mean"]
    share: float = 0.9
    idf: float = 0.5
    buckets: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    _ids: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))

    def __len__(self) -> int:
        return len(self.buckets)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle; the table of ids, 4 bytes a bucket, is made anew where it arrives."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "_ids"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.restore(np.array(self.buckets), np.array(self.weights))  # what joblib maps from a file is read-only

    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        pass

    def read(self, texts: Sequence[str]) -> Ragged:
        """Every n-gram's bucket, nothing left out."""
        return Ragged(*hashed_ngrams(texts, self.words, self.chars, self.bits))

    def counter(self) -> DocumentCounter:
        return DocumentCounter(self.bits)

    def learn(self, counter: DocumentCounter) -> None:
        """Choose the features and their weights: DataError for spaces alone, or where all of it is rarer than ``min_count``."""
        buckets, weights = self._chosen(counter.counts, counter.texts, self.max_features)
        if not len(buckets):
            raise DataError(
                f"no word or character occurs in {self.min_count} training texts or more; there is nothing to learn from."
            )
        self.restore(buckets, weights)

    def extend(self, counter: DocumentCounter) -> None:
        """Append the features that are not kept yet, weighted by the new texts; those that are keep their weights."""
        counts = counter.counts
        counts[self.buckets] = 0
        buckets, weights = self._chosen(counts, counter.texts, self.max_features - len(self))
        self.restore(np.concatenate([self.buckets, buckets]), np.concatenate([self.weights, weights]))

    def _chosen(self, counts: NDArray[np.int32], texts: int, most: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """The buckets that enough of the ``texts`` hold, the most frequent first, and what each weighs."""
        seen = np.flatnonzero(counts >= self.min_count)
        rarity = np.uint16(65535) - np.minimum(counts[seen], 65535).astype(np.uint16)  # 16 bits are sorted in linear time
        order = np.argsort(rarity, kind="stable")[: max(most, 0)]
        idf = (np.log((1 + texts) / (1 + counts[seen[order]])) + 1) ** self.idf
        return seen[order].astype(np.uint32), (idf if self.norm == "tfidf" else np.ones_like(idf)).astype(np.float32)

    def restore(self, buckets: NDArray[np.uint32], weights: NDArray[np.float32]) -> None:
        """Take up what was learnt before."""
        self.buckets, self.weights = buckets, weights
        self._ids = np.full(1 << self.bits, _DROPPED, np.uint32)
        self._ids[buckets] = np.arange(len(buckets), dtype=np.uint32)

    def select(self, read: Ragged) -> Selected:
        return self._select(read, None, None)

    def located(self, texts: Sequence[str]) -> tuple[Selected, NDArray[np.int32], NDArray[np.uint32]]:
        """What a network is given of texts, and of each feature its ``spans`` and ``rest`` (see ``tokens.ngrams.Located``)."""
        found = located_ngrams(texts, self.words, self.chars, self.bits)
        return self._select(Ragged(found.buckets, found.offsets), found.spans, found.rest), found.spans, found.rest

    def _select(self, read: Ragged, spans: NDArray[np.int32] | None, rest: NDArray[np.uint32] | None) -> Selected:
        values, lengths = np.empty(len(read.ids), np.float32), np.zeros(len(read), np.int64)
        half = np.uint32(1 << (self.bits - 1))
        arguments = (read.ids, read.offsets, self._ids, self.weights, half, self.norm == "mean", self.share)
        share(_select, len(read.ids), *arguments, values, lengths, spans, rest)
        return Selected(read.ids, values, read.offsets[:-1], lengths)

    def importance(self) -> NDArray[np.float64]:
        """How finely the rows of a table of these features should be rounded, up to a common factor.

        A row moves what is summed by its feature's weight times the root of the texts that it occurs in; this is the root of
        that, which does better on new texts (docs/BENCHMARKS.md). In how many texts a feature occurs follows from its weight, or
        where all have one, by Zipf's law from their order, in powers of 2.
        """
        weights = self.weights.astype(np.float64)
        if self.norm == "tfidf" and self.idf:
            return np.asarray(np.sqrt(weights * np.exp(-(weights ** (1 / self.idf)) / 2)))
        return np.asarray(np.sqrt(weights) * 2.0 ** -(np.floor(np.log2(np.arange(1, len(weights) + 1))) / 4))

    def fill(self) -> tuple[float, float]:
        """How full the two halves of the table are, of words and of characters: shares of their buckets that are kept."""
        half = 1 << (self.bits - 1)
        words = int((self.buckets < half).sum())
        return words / half, (len(self.buckets) - words) / half

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        return {"buckets": self.buckets, "weights": self.weights}

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        buckets, weights = arrays["buckets"], arrays["weights"]
        if buckets.dtype != np.uint32 or weights.dtype != np.float32 or buckets.shape != weights.shape or buckets.ndim != 1:
            raise RecordError("the features' buckets and weights are not arrays of one length")  # compiled code trusts them
        self.restore(buckets, weights)


class DocumentCounter:
    """In how many texts each bucket occurs."""

    def __init__(self, bits: int) -> None:
        self.texts = 0
        self._counts = np.zeros((min(available(), 4), 1 << bits), np.int32)  # each thread's own

    @property
    def counts(self) -> NDArray[np.int32]:
        """Texts per bucket."""
        return np.asarray(self._counts.sum(0, dtype=np.int32))

    def add(self, read: Ragged, use: NDArray[np.bool_]) -> None:
        """Count the texts marked in ``use``."""
        longest = int(np.diff(read.offsets).max(initial=0))
        room = np.zeros((len(self._counts), max(_FEWEST, 1 << (2 * longest).bit_length())), np.uint64)
        share(_count, len(read.ids), read.ids, read.offsets, use, self._counts, room)
        self.texts += int(use.sum())


# In the kernels below a text's part of an array is sliced first, and loops have no branch on what they look up: the compiler
# then checks no index, and the processor looks ahead to the next look-ups while one waits for memory (2.5 times as fast).


@kernel
def _count(part, parts, ids, offsets, use, counts, room):  # type: ignore[no-untyped-def]
    """Count each bucket of a text once. Those met are kept in a table of open addresses, small enough for the cache: as much of
    the part's ``room`` as the longest text so far wanted.
    """
    texts, parts = len(offsets) - 1, min(parts, len(counts))
    if part >= parts:
        return
    mine, met, slots = counts[part], room[part], _FEWEST
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        row = ids[offsets[text] : offsets[text + 1]]
        while slots < 2 * len(row):
            slots *= 2
        number, last = np.uint64(text + 1) << np.uint64(32), np.uint64(slots - 1)
        for place in range(len(row) if use[text] else 0):
            key = number | row[place]
            slot = key & last
            while met[slot] >= number and met[slot] != key:  # what is below the number is of a text before
                slot = (slot + np.uint64(1)) & last
            mine[row[place]] += met[slot] != key
            met[slot] = key


@kernel
def _select(part, parts, ids, offsets, kept, weights, half, mean, words, values, lengths, spans, rest):  # type: ignore[no-untyped-def]
    """Write each text's kept features over its buckets, and what each weighs once words and characters have their length.

    ``words``: their share of a text's squared length. ``spans`` and ``rest`` move along, unless they are None.
    """
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        row, value = ids[offsets[text] : offsets[text + 1]], values[offsets[text] : offsets[text + 1]]
        chars = of_chars = count = 0  # a text's characters come first, then its words
        for place in range(len(row)):
            of_chars += row[place] >= half
        for place in range(len(row)):
            row[place] = kept[row[place]]
        for place in range(len(row)):
            row[count] = row[place]
            if spans is not None:
                to, at = offsets[text] + count, offsets[text] + place
                spans[to, 0], spans[to, 1], rest[to] = spans[at, 0], spans[at, 1], rest[at]
            chars += (row[place] != _DROPPED) & (place < of_chars)
            count += row[place] != _DROPPED
        lengths[text] = count
        for place in range(count):
            value[place] = weights[row[place]]
        if mean:
            each = np.float32(1 / max(count, 1))
            for place in range(count):
                value[place] *= each
        else:
            both = 0 < chars < count
            _scale(value[:chars], 1 - words if both else 1.0)
            _scale(value[chars:count], words if both else 1.0)


@kernel
def _scale(value, share):  # type: ignore[no-untyped-def]
    """Give the vector the length √share."""
    squares = np.float32(0)
    for place in range(len(value)):
        squares += value[place] * value[place]
    factor = np.float32(np.sqrt(share / max(squares, np.float32(1e-30))))
    for place in range(len(value)):
        value[place] *= factor
