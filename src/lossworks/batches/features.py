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
from .rows import GROUP_MASK, owned

_CHARACTERS = np.uint32(1 << 31)  # set in the id of a feature that is an n-gram of characters


@dataclass(slots=True)
class Selected:
    """Kept features of N texts: text i's are ``ids[starts[i]:starts[i] + lengths[i]]``; ``scales`` [N, 2] is by what the
    weights of its words and of its characters are multiplied.
    """

    ids: NDArray[np.uint32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    scales: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(slots=True)
class Features:
    """Hashed n-grams of words and characters (see ``tokens.ngrams``), selected and weighted.

    ``norm="tfidf"``: each occurrence weighs √(log((1 + N)/(1 + n)) + 1), with N training texts of which n have it; the words
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
        idf = np.sqrt(np.log((1 + counter.texts) / (1 + counts[seen[order]])) + 1)
        self.restore(seen[order].astype(np.uint32), (idf if self.norm == "tfidf" else np.ones_like(idf)).astype(np.float32))

    def restore(self, buckets: NDArray[np.uint32], weights: NDArray[np.float32]) -> None:
        """Take up what was learnt before."""
        self.buckets, self.weights = buckets, weights
        self._ids = np.full(1 << self.bits, -1, np.int32)
        self._ids[buckets] = np.arange(len(buckets), dtype=np.int32)

    def select(self, hashed: Ragged) -> Selected:
        """The kept features of hashed texts, and the texts' scales. Uses up ``hashed``: its memory is written over."""
        starts, texts = hashed.offsets[:-1], len(hashed)
        selected = Selected(hashed.ids, starts, np.zeros(texts, np.int64), np.zeros((texts, 2), np.float32))
        half = np.uint32(1 << (self.bits - 1))
        arguments = (hashed.ids, hashed.offsets, self._ids, self.weights, half, self.norm == "mean")
        share(_select, len(hashed.ids), *arguments, selected.lengths, selected.scales)
        return selected

    def batch(self, selected: Selected, rows: NDArray[np.int64], target: torch.Tensor, weight: torch.Tensor) -> Batch:
        """The batch of the given rows of ``selected``."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(selected.lengths[rows], out=offsets[1:])
        ids, values = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.float32)
        arguments = (selected.ids, selected.starts, selected.scales, self.weights, rows, offsets)
        share(_gather, len(ids), *arguments, ids, values)
        return Batch(ids, offsets, values, target, weight)


class DocumentCounter:
    """In how many texts each bucket occurs."""

    def __init__(self, bits: int) -> None:
        self.texts = self._shown = 0
        self._seen = np.zeros((1 << bits, 2), np.int32)  # how many texts, and the number of the last; side by side in memory

    @property
    def counts(self) -> NDArray[np.int32]:
        """Texts per bucket."""
        return self._seen[:, 0]

    def add(self, hashed: Ragged, use: NDArray[np.bool_]) -> None:
        """Count the texts marked in ``use``."""
        share(_count, len(hashed.ids), hashed.ids, hashed.offsets, use, self._shown, self._seen)
        self._shown += len(use)
        self.texts += int(use.sum())


@njit(cache=True, nogil=True)
def _count(part, parts, ids, offsets, use, before, seen):  # type: ignore[no-untyped-def]
    """The buckets of one part (by their number), over all texts."""
    mine = owned(part, parts)
    for text in range(len(offsets) - 1):
        if use[text]:
            number = before + text + 1
            for place in range(offsets[text], offsets[text + 1]):
                bucket = ids[place]
                if mine[bucket & GROUP_MASK] and seen[bucket, 1] != number:
                    seen[bucket, 1] = number
                    seen[bucket, 0] += 1


@njit(cache=True, nogil=True)
def _select(part, parts, ids, offsets, kept, weights, half, mean, lengths, scales):  # type: ignore[no-untyped-def]
    """Write each text's kept features over its buckets, and the scales that give it its length."""
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        out, words, chars = offsets[text], 0.0, 0.0
        for place in range(offsets[text], offsets[text + 1]):
            bucket = ids[place]
            feature = kept[bucket]
            if feature < 0:
                continue
            square = np.float64(weights[feature]) ** 2
            if bucket < half:
                ids[out] = feature
                words += square
            else:
                ids[out] = np.uint32(feature) | _CHARACTERS
                chars += square
            out += 1
        lengths[text] = out - offsets[text]
        if mean:
            scales[text] = 1 / max(lengths[text], 1)
        else:
            blocks = (words > 0) + (chars > 0)
            scales[text, 0] = 1 / np.sqrt(words * blocks) if words > 0 else 0.0
            scales[text, 1] = 1 / np.sqrt(chars * blocks) if chars > 0 else 0.0


@njit(cache=True, nogil=True)
def _gather(part, parts, ids, starts, scales, weights, rows, offsets, to_ids, to_values):  # type: ignore[no-untyped-def]
    count = len(rows)
    for row in range(count * part // parts, count * (part + 1) // parts):
        text = rows[row]
        of_words, of_chars, source = scales[text, 0], scales[text, 1], starts[text]
        for place in range(offsets[row], offsets[row + 1]):
            marked = ids[source]
            feature = marked & ~_CHARACTERS
            to_ids[place] = feature
            to_values[place] = weights[feature] * (of_words if marked == feature else of_chars)
            source += 1
