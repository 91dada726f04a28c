"""Counting n-grams by sorting: every place of a text by what stands there, and one pass over the sorted places.

The k-grams of all orders that begin at one place are the beginnings of what stands there. So once the places are sorted by
their next ``order`` tokens, equal k-grams lie side by side for every k, in the order of the trie; where two neighbours first
differ says which k-grams end and which begin (the longest common prefix of a suffix array, Manber & Myers 1993).

The number of different tokens to the left of a k-gram, which Kneser-Ney smoothing counts instead of the k-gram itself, is found
in the same pass: for each order a table tells in which k-gram a token was last seen on the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .codes import coded, narrowest

A_PLACE = 36
"""Bytes that a place takes while its bucket is counted, for each order."""
_NOTHING = np.zeros((0, 5), np.uint32)  # what k-grams of the highest order are as contexts
FEW = 5
"""How often a k-gram was counted matters up to 4: counts of counts are kept for 0 to 4."""


@dataclass(slots=True)
class Nodes:
    """The k-grams of one order, k >= 2, of one bucket, pruned ones left out.

    word, children: last word of each, and how many children it has.
    count, counts: code of each one's count, and the counts by code, [codes, 1].
    context, contexts: the code of what each one is as a context, and by code (Σ count, N1, N2, N3+, Σ count of the pruned).
    """

    word: NDArray[Any]
    children: NDArray[Any]
    count: NDArray[Any]
    counts: NDArray[np.uint32]
    context: NDArray[Any]
    contexts: NDArray[np.uint32]


@dataclass(slots=True)
class Bucket:
    """What was counted among the places whose k-grams begin with some words.

    levels: the k-grams of order 2 and more.
    left: for each word of the vocabulary, how many different tokens stand to its left there, [V].
    raw, first: for each word, how often it occurs and what it is as a context: [V], and [V, 6] (its number of children last).
    of_counts: how many k-grams of each order were counted 0 to 4 times, and all of them, [order + 1, 6].
    """

    levels: list[Nodes]
    left: NDArray[np.int64]
    raw: NDArray[np.int64]
    first: NDArray[np.int64]
    of_counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Way:
    """How to count: n-grams up to ``order`` over ``size`` words, as they occur (``raw``) or by neighbours; those that occur as
    often as ``prune`` [order + 1] says or less are left out. ``start`` begins every text.
    """

    order: int
    size: int
    start: int
    raw: bool
    prune: NDArray[np.int64]


def scan(tokens: NDArray[Any], places: NDArray[Any], way: Way) -> Bucket:
    """Count the k-grams that begin at ``places`` of ``tokens``, where one token stands before each and ``order`` after.

    ``places`` are sorted in place. A text's tokens stand between ``start`` and ``end``, or ``start`` and the next ``start``.
    """
    order = sort(tokens, places, np.empty_like(places), way.order, way.size)
    made = _scan(tokens, order, way.order, way.size, way.start, way.raw, way.prune)
    words, children, counts, contexts, filled, left, raw, first, of_counts = made
    levels = []
    for k in range(2, way.order + 1):
        n = filled[k]
        count, count_table = coded(counts[k][:n])
        context, context_table = coded(contexts[k][:n]) if k < way.order else coded(_NOTHING)
        of = children[k][:n]
        narrow = of.astype(narrowest(int(of.max(initial=0)) + 1))
        levels.append(Nodes(words[k][:n].astype(tokens.dtype), narrow, count, count_table, context, context_table))
    return Bucket(levels, left, raw, first, of_counts)


@njit(cache=True, nogil=True)
def sort(tokens, places, room, order, size):  # type: ignore[no-untyped-def]
    """``places`` sorted by the ``order`` tokens at each: by the last of them first, each pass a stable counting sort by 16
    bits.
    """
    halves = 1 if size <= 1 << 16 else 2
    for depth in range(order - 1, -1, -1):
        for half in range(halves):
            shift, ends = 16 * half, np.zeros(1 << 16, np.int64)
            for i in range(len(places)):
                ends[(tokens[places[i] + depth] >> shift) & 0xFFFF] += 1
            total = 0
            for digit in range(len(ends)):
                total, ends[digit] = total + ends[digit], total
            for i in range(len(places)):
                digit = (tokens[places[i] + depth] >> shift) & 0xFFFF
                room[ends[digit]] = places[i]
                ends[digit] += 1
            places, room = room, places
    return places


@njit(cache=True, nogil=True)
def _scan(tokens, places, order, size, start, raw_counts, prune):  # type: ignore[no-untyped-def]
    count = len(places)
    words = np.empty((order + 1, count), np.uint32)
    children = np.empty((order + 1, count), np.uint32)
    counts = np.empty((order + 1, count, 1), np.uint32)
    contexts = np.empty((order, count, 5), np.uint32)
    filled = np.zeros(order + 1, np.int64)
    left, raw, first = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros((size, 6), np.int64)
    of_counts = np.zeros((order + 1, FEW + 1), np.int64)
    # of the open k-gram of each order: how often it occurs, its neighbours to the left, what it is as a context, its children
    often, neighbours = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    open_as, number = np.zeros((order + 1, 6), np.int64), np.zeros(order + 1, np.int64)
    seen = np.zeros((order, size), np.int64)  # in which k-gram, by number, a token was last seen on the left
    path = np.zeros(order + 1, np.int64)  # the tokens of the open k-grams
    depth = 0
    for i in range(count + 1):
        same, length = 0, 0
        if i < count:
            place = places[i]
            length = 1
            while length < order and tokens[place + length] != start:  # every text begins with one
                length += 1
            while same < depth and same < length and tokens[place + same] == path[same + 1]:
                same += 1
        for k in range(depth, same, -1):  # the open k-grams that end here, the longest first
            if k == 1:
                raw[path[1]] += often[1]
                first[path[1]] += open_as[1]
                continue
            adjusted = often[k] if raw_counts or k == order or path[1] == start else neighbours[k]
            kept = often[k] > prune[k]
            of_counts[k, min(adjusted, FEW)] += adjusted < FEW
            of_counts[k, FEW] += 1
            if k == 2:
                left[path[2]] += 1
            parent = open_as[k - 1]
            parent[0] += adjusted
            if kept:
                parent[min(adjusted, 3)] += 1
                parent[5] += 1
                at = filled[k]
                words[k, at], children[k, at], counts[k, at, 0] = path[k], open_as[k, 5], adjusted
                if k < order:
                    for what in range(5):
                        contexts[k, at, what] = open_as[k, what]
                filled[k] += 1
            else:
                parent[4] += adjusted
        if i == count:
            break
        for k in range(same + 1, length + 1):
            path[k] = tokens[place + k - 1]
            often[k] = neighbours[k] = 0
            for what in range(6):
                open_as[k, what] = 0
            number[k] += 1
        depth = length
        before = tokens[place - 1]
        for k in range(1, length + 1):
            often[k] += 1
        for k in range(min(length, order - 1), 1, -1):
            if seen[k, before] == number[k]:  # then on the left of all shorter ones too
                break
            seen[k, before] = number[k]
            neighbours[k] += 1
    return words, children, counts, contexts, filled, left, raw, first, of_counts
