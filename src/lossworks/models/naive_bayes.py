"""Naive Bayes over hashed n-grams: counts of each class, a byte a weight, straight to logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numba import njit
from numpy.typing import NDArray

from ..core import domains
from ..core.errors import DataError, RecordError, UsageError
from ..core.threads import share
from ..data import Ragged
from ..tokens.ngrams import hashed_ngrams
from .base import check_reading, models
from .counted import ClassCounts, CountedClassifier, CountedSpec

_LEVELS = 255  # that a weight of one byte has above none


@models.add("naive_bayes", source="McCallum & Nigam 1998, AAAI workshop (multinomial); Lui & Baldwin 2012, ACL (for languages)")
@dataclass(frozen=True, kw_only=True)
class NaiveBayesSpec(CountedSpec):
    """The logit of a class: log p(class) + Σ log p(n-gram | class) / √n, over the n n-grams known. Trained in one pass.

    Without the root it would be Bayes' rule for independent n-grams. They overlap and go together, so no temperature
    suits a sum of few and a sum of many; divided by √n, one suits both (docs/LANGUAGES.md).

    Keys: words, the longest word n-gram; chars, the longest character n-gram (0: none); bits, of the hash; smoothing, what is
    added to every count; shared, the most classes that an n-gram may occur in to be kept (0: any number): what most classes share
    costs most of the time and tells them apart least; top, the most frequent of these n-grams kept of each class (0: all).
    """

    words: int = 2
    chars: int = 4
    bits: int = 20
    smoothing: float = 0.3
    shared: int = 0
    top: int = 0

    def __post_init__(self) -> None:
        check_reading(self.words, self.chars, self.bits, 1)
        domains.positive(self, "smoothing")
        if self.top < 0 or self.shared < 0:
            raise UsageError(f"got top={self.top}, shared={self.shared}; wanted 0 (no limit) or more.")

    def read(self, texts: Sequence[str]) -> Ragged:
        return Ragged(*hashed_ngrams(texts, self.words, self.chars, self.bits))

    def counts(self, classes: int) -> NgramCounts:
        return NgramCounts(self, classes)

    def load(self, arrays: Mapping[str, NDArray[Any]], classes: int) -> NaiveBayes:
        model = NaiveBayes(*(arrays[name] for name in _ARRAYS))
        model.check(1 << self.bits, classes)
        return model


class NgramCounts(ClassCounts):
    """How often each n-gram occurs in the texts of each class [classes, buckets], and how many texts there are of each."""

    def __init__(self, spec: NaiveBayesSpec, classes: int) -> None:
        self.spec, self.texts = spec, np.zeros(classes, np.int64)
        self.found = sp.csr_array((classes, 1 << spec.bits), dtype=np.float32)

    def add(self, read: Ragged, classes: NDArray[np.int64]) -> None:
        self.texts += np.bincount(classes, minlength=len(self.texts))
        rows, ones = np.repeat(classes, np.diff(read.offsets)), np.ones(len(read.ids), np.float32)
        self.found = self.found + sp.coo_array((ones, (rows, read.ids.astype(np.int32))), self.found.shape).tocsr()

    def learned(self) -> NaiveBayes:
        spec, found = self.spec, self.found
        if not found.nnz:
            raise DataError("no training text holds a word or character; there is nothing to learn from.")
        mass = found.sum(1) + spec.smoothing * found.shape[1]
        if spec.shared:
            found.data[np.bincount(found.indices, minlength=found.shape[1])[found.indices] > spec.shared] = 0
            found.eliminate_zeros()
        for first, last in zip(found.indptr, found.indptr[1:], strict=False) if spec.top else ():
            own = found.data[first:last]
            own[np.argsort(-own, kind="stable")[spec.top :]] = 0
        found.eliminate_zeros()
        by_bucket = found.T.tocsr()
        gain = np.log1p(by_bucket.data / spec.smoothing)  # over the n-gram's log-probability where it was never seen
        step = gain.max(initial=1e-9) / _LEVELS
        unseen = -np.log(mass)
        return NaiveBayes(
            np.diff(by_bucket.indptr).astype(np.min_scalar_type(len(self.texts))),
            by_bucket.indices.astype(np.min_scalar_type(len(self.texts) - 1)),
            np.maximum(np.round(gain / step), 1).astype(np.uint8),
            np.full(1, step, np.float32),
            (unseen - unseen.mean()).astype(np.float32),  # what all classes have in common, the softmax leaves out
            np.log(self.texts / self.texts.sum()).astype(np.float32),
        )


_ARRAYS = ("lengths", "classes", "weights", "step", "unseen", "prior")


@dataclass(slots=True)
class NaiveBayes(CountedClassifier):
    """Of each bucket the ``lengths`` [buckets] of its lists of ``classes`` and their ``weights``, in units of ``step`` [1].

    unseen: what a known n-gram adds to the logit of each class by itself [classes]; prior: log p(class). N-grams that no class
    knows add nothing.
    """

    lengths: NDArray[Any]
    classes: NDArray[Any]
    weights: NDArray[np.uint8]
    step: NDArray[np.float32]
    unseen: NDArray[np.float32]
    prior: NDArray[np.float32]
    _starts: NDArray[np.uint32] = field(init=False, repr=False)
    _pairs: NDArray[Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._starts = np.zeros(len(self.lengths) + 1, np.uint32)
        np.cumsum(self.lengths, out=self._starts[1:])
        width = np.uint16 if self.classes.dtype == np.uint8 else np.uint32
        self._pairs = np.left_shift(self.classes.astype(width), 8) | self.weights  # side by side: one look into memory finds both

    def scores(self, read: Ragged) -> NDArray[np.float32]:
        found = np.empty((len(read), len(self.prior)), np.float32)
        lists = self._starts, self._pairs, self.step[0]
        share(_score, len(read.ids), read.ids, read.offsets, *lists, self.unseen, self.prior, found)
        return found

    def shuffled(self, order: np.random.Generator) -> NaiveBayes:
        return replace(self, classes=order.permutation(self.classes), weights=order.permutation(self.weights))

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in _ARRAYS}

    def check(self, buckets: int, classes: int) -> None:
        """Raise RecordError where the arrays do not fit together: compiled code trusts them."""
        kinds = [array.dtype.kind + str(array.ndim) for array in self.arrays().values()]
        sizes = [len(self.lengths), len(self.unseen), len(self.prior), len(self.step)]
        entries = int(self.lengths.sum(dtype=np.int64))
        fits = sizes == [buckets, classes, classes, 1] and len(self.classes) == len(self.weights) == entries
        if kinds != ["u1", "u1", "u1", "f1", "f1", "f1"] or not fits or (entries and int(self.classes.max()) >= classes):
            raise RecordError("the counts' arrays do not fit one another")


@njit(cache=True, nogil=True)
def _score(part, parts, ids, offsets, starts, pairs, step, unseen, prior, found):  # type: ignore[no-untyped-def]
    texts, totals, room = len(offsets) - 1, np.empty(len(prior), np.uint32), np.empty((0, 2), np.uint32)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        own = ids[offsets[text] : offsets[text + 1]]
        if len(own) > len(room):
            room = np.empty((2 * len(own), 2), np.uint32)
        totals[:], known = 0, 0
        for bucket in own:  # all lists are found before any is read: the CPU then waits for memory once, not each time
            room[known, 0], room[known, 1] = starts[bucket], starts[bucket + np.uint32(1)]
            known += room[known, 0] < room[known, 1]
        for gram in range(known):
            for pair in pairs[room[gram, 0] : room[gram, 1]]:
                totals[pair >> np.uint32(8)] += pair & np.uint32(255)
        root = np.float32(1 / np.sqrt(max(known, 1)))
        for number in range(len(prior)):
            found[text, number] = prior[number] + root * (known * unseen[number] + step * totals[number])
