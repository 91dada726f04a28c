"""From texts to weighted ids: which hashed n-grams are kept, what each weighs, and the batches made of them.

What is learnt here is learnt from training texts alone: which buckets occur (numbered by falling frequency, so that the
busiest rows of a table lie together), and how many texts each occurs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.threads import share
from ..tokens.ngrams import hashed_ngrams
from .batch import Batch
from .ragged import Ragged


@dataclass(slots=True)
class Selected:
    """Kept ids of N texts, and by what the words' and the characters' part of each text is multiplied (``scales`` [N, 2])."""

    rows: Ragged
    scales: NDArray[np.float32]


@dataclass(slots=True)
class Features:
    """Hashed n-grams of words and characters (see ``tokens.ngrams``), selected and weighted.

    ``norm="tfidf"``: each occurrence weighs log((1 + N)/(1 + n)) + 1, with N training texts of which n have it; the words
    of a text and its characters are then scaled to the same length, together to 1.
    ``norm="mean"``: each occurrence weighs 1/length, so that a table's row sums are means.
    """

    words: int
    chars: int
    bits: int
    min_count: int
    max_features: int
    norm: Literal["tfidf", "mean"]
    buckets: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    _ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.buckets)

    def __getstate__(self) -> dict[str, Any]:
        """For pickle; the table of ids, 4 bytes a bucket, is made anew where it arrives."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "_ids"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.restore(np.array(self.buckets), np.array(self.weights))  # what joblib maps from a file is read-only

    def hashed(self, texts: Sequence[str]) -> Ragged:
        """Every n-gram's bucket, nothing left out."""
        return Ragged(*hashed_ngrams(texts, self.words, self.chars, self.bits))

    def counter(self) -> DocumentCounter:
        """What ``learn`` needs to be shown the training texts."""
        return DocumentCounter(self.bits)

    def learn(self, counter: DocumentCounter) -> None:
        """Choose the features and their weights.

        Raises:
            DataError: the texts hold nothing to learn from (spaces alone, or all of it rarer than ``min_count``).
        """
        counts = counter.counts
        seen = np.flatnonzero(counts >= self.min_count)
        if not len(seen):
            raise DataError(
                f"no word or character occurs in {self.min_count} training texts or more; there is nothing to learn from."
            )
        order = np.argsort(-counts[seen], kind="stable")[: self.max_features]
        idf = np.log((1 + counter.texts) / (1 + counts[seen[order]])) + 1
        self.restore(seen[order].astype(np.uint32), (idf if self.norm == "tfidf" else np.ones_like(idf)).astype(np.float32))

    def restore(self, buckets: NDArray[np.uint32], weights: NDArray[np.float32]) -> None:
        """Take up what was learnt before."""
        self.buckets, self.weights = buckets, weights
        self._ids = np.full(1 << self.bits, -1, np.int32)
        self._ids[buckets] = np.arange(len(buckets), dtype=np.int32)

    def select(self, hashed: Ragged) -> Selected:
        """The kept features of hashed texts, and the texts' scales."""
        texts = len(hashed)
        offsets, scales = np.zeros(texts + 1, np.int64), np.zeros((texts, 2), np.float32)
        arguments = (
            hashed.ids,
            hashed.offsets,
            self._ids,
            self.weights,
            np.uint32(1 << (self.bits - 1)),
            self.norm == "mean",
        )
        share(_measure, len(hashed.ids), *arguments, offsets, scales)
        np.cumsum(offsets, out=offsets)
        ids = np.empty(offsets[-1], np.uint32)
        share(_keep, len(hashed.ids), hashed.ids, hashed.offsets, self._ids, offsets, ids)
        return Selected(Ragged(ids, offsets), scales)

    def batch(self, selected: Selected, rows: NDArray[np.int64], target: torch.Tensor, weight: torch.Tensor) -> Batch:
        """The batch of the given rows of ``selected``."""
        taken = selected.rows.take(rows)
        values = np.empty(len(taken.ids), np.float32)
        half = np.uint32(1 << (self.bits - 1))
        share(
            _values,
            len(values),
            taken.ids,
            taken.offsets,
            self.buckets,
            self.weights,
            half,
            selected.scales[rows],
            values,
        )
        return Batch(taken.ids.view(np.int32), taken.offsets, values, target, weight)


class DocumentCounter:
    """In how many texts each bucket occurs."""

    def __init__(self, bits: int) -> None:
        self.counts = np.zeros(1 << bits, np.int32)
        self.texts = self._shown = 0
        self._last = np.full(1 << bits, -1, np.int32)

    def add(self, hashed: Ragged, use: NDArray[np.bool_]) -> None:
        """Count the texts marked in ``use``."""
        share(_count, len(hashed.ids), hashed.ids, hashed.offsets, use, self._shown, self.counts, self._last)
        self._shown += len(use)
        self.texts += int(use.sum())


@njit(cache=True, nogil=True)
def _count(part, parts, ids, offsets, use, before, counts, last):  # type: ignore[no-untyped-def]
    """The buckets of one part (by their number), over all texts."""
    for text in range(len(offsets) - 1):
        if use[text]:
            number = before + text
            for place in range(offsets[text], offsets[text + 1]):
                bucket = ids[place]
                if bucket % parts == part and last[bucket] != number:
                    last[bucket] = number
                    counts[bucket] += 1


@njit(cache=True, nogil=True)
def _measure(part, parts, ids, offsets, kept, weights, half, mean, lengths, scales):  # type: ignore[no-untyped-def]
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        count, words, chars = 0, 0.0, 0.0
        for place in range(offsets[text], offsets[text + 1]):
            feature = kept[ids[place]]
            if feature >= 0:
                count += 1
                if ids[place] < half:
                    words += weights[feature] ** 2
                else:
                    chars += weights[feature] ** 2
        lengths[text + 1] = count
        if mean:
            scales[text] = 1 / max(count, 1)
        else:
            blocks = (words > 0) + (chars > 0)
            scales[text, 0] = 1 / np.sqrt(words * blocks) if words > 0 else 0.0
            scales[text, 1] = 1 / np.sqrt(chars * blocks) if chars > 0 else 0.0


@njit(cache=True, nogil=True)
def _keep(part, parts, ids, offsets, kept, to_offsets, to_ids):  # type: ignore[no-untyped-def]
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        out = to_offsets[text]
        for place in range(offsets[text], offsets[text + 1]):
            feature = kept[ids[place]]
            if feature >= 0:
                to_ids[out] = feature
                out += 1


@njit(cache=True, nogil=True)
def _values(part, parts, ids, offsets, buckets, weights, half, scales, values):  # type: ignore[no-untyped-def]
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        for place in range(offsets[text], offsets[text + 1]):
            feature = ids[place]
            values[place] = weights[feature] * scales[text, 0 if buckets[feature] < half else 1]
