"""Which texts are nearly the same: pairs that share a band, each looked at exactly, and which of them goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.errors import UsageError
from .shingles import bands, jaccard_of
from .texts import Texts

NEAR = 0.7
"""The Jaccard similarity of shingles from which two texts are nearly the same: 4.4 % of the letters changed here and there."""
MOST = 16
"""In a band that more texts share, each is paired with the earliest so many."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of texts and the true Jaccard similarity of their shingles.

    rows, of: int64 [M]; likeness: float64 [M]. Sorted by ``rows``, then ``of``.
    """

    rows: Ints
    of: Ints
    likeness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def check_threshold(threshold: float) -> None:
    """Raise UsageError where bands would miss too many of the pairs."""
    if not 0.6 <= threshold <= 1:
        raise UsageError(f"the threshold of nearly equal texts is {threshold}; wanted 0.6 to 1.")


def candidates(bands: NDArray[np.uint64], rows: Ints | None = None) -> Ints:
    """Pairs of rows that share a band [M, 2], the later row first, sorted, each once.

    Where more than ``MOST`` share one, each is paired with the earliest of them only. Data too large for one table may be
    divided: for each column [N, 1] alone, or for the rows whose value in it is in a range, the union of the pairs is the same.

    Args:
        bands: [N, B] as ``bands`` gives them.
        rows: the global number of each row [N]; 0 to N − 1 if None.
    """
    if rows is None:
        rows = np.arange(len(bands))
    else:
        order = np.argsort(rows)
        rows, bands = rows[order], bands[order]
    found = np.empty((0, 2), np.int64)
    for band in np.ascontiguousarray(bands.T):
        order = _ordered(band, _met(band, band, 2))
        found = each_once(np.concatenate([found, _within(band[order], rows[order], MOST)]))
    return found


def cross_candidates(bands: NDArray[np.uint64], others: NDArray[np.uint64]) -> Ints:
    """Pairs (row of ``bands``, row of ``others``) that share a band [M, 2], sorted, each once.

    Where more than ``MOST`` share one, each row is paired with the earliest so many of the other side.
    """
    found = np.empty((0, 2), np.int64)
    for band, other in zip(np.ascontiguousarray(bands.T), np.ascontiguousarray(others.T), strict=True):
        order, their_order = _ordered(band, _met(band, other, 1)), _ordered(other, _met(other, band, 1))
        shared = _between(band[order], order, other[their_order], their_order, MOST)
        found = each_once(np.concatenate([found, shared]))
    return found


def verified(one: Texts, other: Texts, pairs: Ints, threshold: float = NEAR) -> Pairs:
    """Of the pairs (row of ``one``, row of ``other``) [M, 2] those whose likeness reaches the threshold."""
    check_threshold(threshold)
    likeness = jaccard_of(one, pairs[:, 0], other, pairs[:, 1])
    near = likeness >= threshold
    return Pairs(pairs[near, 0], pairs[near, 1], likeness[near])


def near_pairs(texts: Texts, threshold: float = NEAR) -> Pairs:
    """The pairs of texts that are nearly the same, the later row first."""
    return verified(texts, texts, candidates(bands(texts)), threshold)


def removed(pairs: Pairs) -> Pairs:
    """The texts that go, of pairs that are near: each later text of a pair whose earlier text *stays*.

    Rows are looked at in their order, so the earliest stays. Nothing is inferred from chains: a text like one that goes, and like
    none that stays, stays. Each is given with the most like of those that stay, the earliest where several are as like.

    Args:
        pairs: sorted by ``rows``, every ``of`` the earlier row, all of a likeness that counts, as of ``verified``.
    """
    known, numbers = np.unique(np.concatenate([pairs.rows, pairs.of]), return_inverse=True)
    chosen = _decide(numbers[: len(pairs)], numbers[len(pairs) :], pairs.likeness, len(known))
    return Pairs(pairs.rows[chosen], pairs.of[chosen], pairs.likeness[chosen])


def _ordered(band: NDArray[np.uint64], chosen: NDArray[np.bool_]) -> Ints:
    """The chosen rows by value, then by row."""
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(band[rows], kind="stable")]


def each_once(pairs: Ints) -> Ints:
    """Pairs of rows [M, 2] by the first, then by the second, none twice."""
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    fresh = np.ones(len(pairs), np.bool_)
    fresh[1:] = (pairs[1:] != pairs[:-1]).any(1)
    return pairs[fresh]


@njit(cache=True, nogil=True)
def _met(values, others, least):  # type: ignore[no-untyped-def]
    """Which values may stand among ``others`` so often, by their lowest bits: what few others have need not be sorted."""
    size = 1 << 10
    while size < 16 * len(others):
        size *= 2
    mask = np.uint64(size - 1)
    tally, found = np.zeros(size, np.uint8), np.empty(len(values), np.bool_)
    for value in others:
        tally[value & mask] = min(tally[value & mask] + 1, 2)
    for i in range(len(values)):
        found[i] = tally[values[i] & mask] >= least
    return found


@njit(cache=True, nogil=True)
def _decide(rows, of, likeness, count):  # type: ignore[no-untyped-def]
    """The place of the pair for which each text that goes does so."""
    gone, chosen = np.zeros(count, np.bool_), np.empty(len(rows), np.int64)
    found, begin = 0, 0
    while begin < len(rows):
        best, end = -1, begin
        while end < len(rows) and rows[end] == rows[begin]:
            if not gone[of[end]] and (best < 0 or likeness[end] > likeness[best]):
                best = end
            end += 1
        if best >= 0:
            gone[rows[begin]], chosen[found] = True, best
            found += 1
        begin = end
    return chosen[:found]


@njit(cache=True, nogil=True)
def _within(values, rows, most):  # type: ignore[no-untyped-def]
    """The pairs in each run of equal values, whose rows ascend."""
    count = 0
    for fill in range(2):
        pairs = np.empty((count if fill else 0, 2), np.int64)
        count, begin = 0, 0
        for i in range(len(values)):
            if values[i] != values[begin]:
                begin = i
            for j in range(begin, min(i, begin + most)):
                if rows[i] != rows[j]:
                    if fill:
                        pairs[count, 0], pairs[count, 1] = rows[i], rows[j]
                    count += 1
    return pairs


@njit(cache=True, nogil=True)
def _between(values, rows, others, their_rows, most):  # type: ignore[no-untyped-def]
    """The pairs of equal values in two sorted arrays; the rows of each ascend."""
    count = 0
    for fill in range(2):
        pairs = np.empty((count if fill else 0, 2), np.int64)
        count, i, j = 0, 0, 0
        while i < len(values) and j < len(others):
            if values[i] != others[j]:
                i, j = i + (values[i] < others[j]), j + (others[j] < values[i])
                continue
            end, their_end, value = i, j, values[i]
            while end < len(values) and values[end] == value:
                end += 1
            while their_end < len(others) and others[their_end] == value:
                their_end += 1
            for k in range(i, end):
                for m in range(j, their_end):
                    if k - i < most or m - j < most:
                        if fill:
                            pairs[count, 0], pairs[count, 1] = rows[k], their_rows[m]
                        count += 1
                    else:
                        break
            i, j = end, their_end
    return pairs
