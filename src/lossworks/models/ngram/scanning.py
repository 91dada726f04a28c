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
_CACHED = 1 << 15  # places that are sorted at once: with keys, and room for both, some 800 KB
_AHEAD = 1 << 10  # places looked up at once, one not waiting for another
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
    sort(tokens, places, np.empty_like(places), way.order, way.size)
    made = _scan(tokens, places, way.order, way.size, way.start, way.raw, way.prune)
    words, children, counts, contexts, filled, left, raw, first, of_counts = made
    levels = []
    for k in range(2, way.order + 1):
        n = filled[k]
        count, count_table = coded(counts[k][:n])
        context, context_table = coded(contexts[k][:n]) if k < way.order else coded(_NOTHING)
        of = children[k][:n]
        narrow = of.astype(narrowest(int(of.max(initial=0)) + 1))
        levels.append(Nodes(words[k][:n].copy(), narrow, count, count_table, context, context_table))
    return Bucket(levels, left, raw, first, of_counts)


@njit(cache=True, nogil=True)
def sort(tokens, places, room, order, size):  # type: ignore[no-untyped-def]
    """Sort ``places`` by the ``order`` tokens at each: divided token by token while they are more than the cache holds."""
    bits = 1
    while size > 1 << bits:
        bits += 1
    keys = np.empty((2, min(_CACHED, len(places))), np.uint64)
    todo = [(0, len(places), 0)]
    while todo:
        low, high, depth = todo.pop()
        if high - low <= _CACHED:
            _sort_keys(tokens, places[low:high], room[low:high], depth, order, bits, keys[0], keys[1])
        elif depth < order:
            ends = _divide(tokens, places[low:high], room[low:high], depth, size)
            begin = at = low
            for end in ends:  # of each token: those of few places stay together
                end += low
                if end - begin > _CACHED:
                    todo.append((begin, at, depth))
                    begin = at
                if end - begin > _CACHED:
                    todo.append((begin, end, depth + 1))
                    begin = end
                at = end
            todo.append((begin, high, depth))


@njit(cache=True, nogil=True)
def _divide(tokens, places, room, depth, size):  # type: ignore[no-untyped-def]
    """Sort ``places`` by one token of each, stably; where the places of each token end."""
    ends = np.zeros(size + 1, np.int64)
    for i in range(len(places)):
        ends[tokens[places[i] + depth] + 1] += 1
    for token in range(size):
        ends[token + 1] += ends[token]
    for i in range(len(places)):
        token = tokens[places[i] + depth]
        room[ends[token]] = places[i]
        ends[token] += 1
    places[:] = room
    return ends[:size]


@njit(cache=True, nogil=True)
def _sort_keys(tokens, places, room, start, order, bits, keys, others):  # type: ignore[no-untyped-def]
    """Sort ``places`` by the tokens from ``start`` to ``order``: by the last of them first, as many as fit into 64 bits.

    Such keys go with their places through stable counting sorts by 8 bits; bits that all have in common are passed over.
    """
    moved = False
    while order > start:
        first = max(order - 64 // bits, start)
        ends = _fill_keys(tokens, places, first, order, bits, keys)
        for byte in range(8):
            shift = np.uint64(8 * byte)
            if ends[byte, (keys[0] >> shift) & np.uint64(0xFF)] < len(places):
                _sort_once(keys, places, others, room, ends[byte], shift)
                keys, others = others, keys
                places, room = room, places
                moved = not moved
        order = first
    if moved:
        room[:] = places


@njit(cache=True, nogil=True)
def _fill_keys(tokens, places, first, order, bits, keys):  # type: ignore[no-untyped-def]
    """Tokens ``first`` to ``order`` of each place as its key; how often each value of each of their bytes occurs [8, 256]."""
    occurs = np.zeros((8, 256), np.int64)
    for i in range(len(places)):
        key = np.uint64(0)
        for depth in range(first, order):
            key = (key << np.uint64(bits)) | np.uint64(tokens[places[i] + depth])
        keys[i] = key
    for i in range(len(places)):
        for byte in range(8):
            occurs[byte, (keys[i] >> np.uint64(8 * byte)) & np.uint64(0xFF)] += 1
    return occurs


@njit(cache=True, nogil=True)
def _sort_once(keys, places, others, room, ends, shift):  # type: ignore[no-untyped-def]
    """One stable pass into ``others`` and ``room``."""
    total = 0
    for digit in range(256):
        total, ends[digit] = total + ends[digit], total
    for i in range(len(places)):
        digit = (keys[i] >> shift) & np.uint64(0xFF)
        at = ends[digit]
        others[at], room[at] = keys[i], places[i]
        ends[digit] = at + 1


@njit(cache=True, nogil=True)
def _scan(tokens, places, order, size, start, raw_counts, prune):  # type: ignore[no-untyped-def]
    count = len(places)
    words = np.empty((order + 1, count), tokens.dtype)
    children = np.empty((order + 1, count), np.uint32)
    counts = np.empty((order + 1, count, 1), np.uint32)
    contexts = np.empty((order, count, 5), np.uint32)
    filled = np.zeros(order + 1, np.int64)
    left, raw, first = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros((size, 6), np.int64)
    of_counts = np.zeros((order + 1, FEW + 1), np.int64)
    # of the open k-gram of each order: since which place, its neighbours to the left, what it is as a context, its children
    since, neighbours = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    open_as, number = np.zeros((order + 1, 6), np.int64), np.zeros(order + 1, np.uint32)
    seen = np.zeros((order, size), np.uint32)  # in which k-gram, by number, a token was last seen on the left
    path = np.zeros(order + 1, tokens.dtype)  # the tokens of the open k-grams
    ahead = np.empty((_AHEAD, order + 1), tokens.dtype)  # what stands at the next places, from the token before each
    depth = 0
    for i in range(count + 1):
        here, same, length = i % _AHEAD, 0, 0
        if here == 0:
            for j in range(min(_AHEAD, count - i)):
                for k in range(order + 1):
                    ahead[j, k] = tokens[places[i + j] + k - 1]
        if i < count:
            length = 1
            while length < order and ahead[here, length + 1] != start:  # every text begins with one
                length += 1
            while same < depth and same < length and ahead[here, same + 1] == path[same + 1]:
                same += 1
        for k in range(depth, same, -1):  # the open k-grams that end here, the longest first
            often, word = i - since[k], path[k]
            if k == 1:
                raw[word] += often
                for what in range(6):
                    first[word, what] += open_as[1, what]
                continue
            adjusted = often if raw_counts or k == order or path[1] == start else neighbours[k]
            if adjusted < FEW:
                of_counts[k, adjusted] += 1
            of_counts[k, FEW] += 1
            if k == 2:
                left[word] += 1
            open_as[k - 1, 0] += adjusted
            if often > prune[k]:
                open_as[k - 1, min(adjusted, 3)] += 1
                open_as[k - 1, 5] += 1
                at = filled[k]
                words[k, at], children[k, at], counts[k, at, 0] = word, open_as[k, 5], adjusted
                if k < order:
                    for what in range(5):
                        contexts[k, at, what] = open_as[k, what]
                filled[k] += 1
            else:
                open_as[k - 1, 4] += adjusted
        for k in range(same + 1, length + 1):
            path[k] = ahead[here, k]
            since[k], neighbours[k] = i, 0
            for what in range(6):
                open_as[k, what] = 0
            number[k] += 1
        depth = length
        before = ahead[here, 0]
        for k in range(min(length, order - 1), 1, -1):
            if seen[k, before] == number[k]:  # then on the left of all shorter ones too
                break
            seen[k, before] = number[k]
            neighbours[k] += 1
    return words, children, counts, contexts, filled, left, raw, first, of_counts
