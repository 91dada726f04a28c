"""Where the pairs of neighbours stand in words, and how often: hash tables of linked lists, for compiled code.

Words lie end to end in one array of symbols, each language's together. A pair of neighbours stands at the place of its first
symbol; places with the same pair form a linked list, whose head and count are in a hash table of the language, whose slots are
scanned for the most frequent pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .hashing import mix

BLOCK = 1 << 8
"""Slots of a table that are looked through together."""
NONE = -1
HALF = np.int64(32)  # a pair is one number: its first symbol in the upper half


class Places(NamedTuple):
    """Of each place: its word, its symbol, its neighbours in the word, and those in the list of its pair. -1: there is none."""

    word: NDArray[np.int32]
    symbol: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    before: NDArray[np.int32]
    after: NDArray[np.int32]


class Pairs(NamedTuple):
    """A hash table a language [L, slots]: pairs, how often each is counted, its first place; and slots used [L].

    tops [L, blocks]: bounds of the counts in each block of slots, which rise with them, and fall when they are next looked at.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    heads: NDArray[np.int32]
    used: NDArray[np.int64]
    tops: NDArray[np.int64]

    @classmethod
    def empty(cls, languages: int, slots: int) -> Pairs:
        shape = (languages, slots)
        keys, heads = np.full(shape, NONE, np.int64), np.full(shape, NONE, np.int32)
        tops = np.zeros((languages, slots // BLOCK), np.int64)
        return cls(keys, np.zeros(shape, np.int64), heads, np.zeros(languages, np.int64), tops)

    def grown(self) -> Pairs:
        found = Pairs.empty(len(self.used), 2 * self.keys.shape[1])
        _move(self, found)
        return found


@njit(cache=True, nogil=True)
def most_frequent(pairs, language):  # type: ignore[no-untyped-def]
    """The highest count of a pair, and of the pairs that have it the one of the smallest numbers."""
    best, found, highest = np.int64(-1), np.int64(-1), np.int64(0)
    while best < highest:  # until the highest bound, made exact, is still the highest
        block, highest = 0, np.int64(0)
        for other in range(pairs.tops.shape[1]):
            if pairs.tops[language, other] > highest:
                block, highest = other, pairs.tops[language, other]
        best = np.int64(0)
        for slot in range(block * BLOCK, (block + 1) * BLOCK):
            best = max(best, pairs.counts[language, slot])
        pairs.tops[language, block] = best
    for block in range(pairs.tops.shape[1]):
        if pairs.tops[language, block] == best:
            for slot in range(block * BLOCK, (block + 1) * BLOCK):
                if pairs.counts[language, slot] == best and (found < 0 or pairs.keys[language, slot] < found):
                    found = pairs.keys[language, slot]
    return best, found


@njit(cache=True, nogil=True)
def occurrences(pairs, language, places, key):  # type: ignore[no-untyped-def]
    """At how many places a pair stands in a language."""
    slot, found = slot_of(pairs.keys, language, key), 0
    place = pairs.heads[language, slot]
    while place != NONE:
        found += 1
        place = places.after[place]
    return found


@njit(cache=True, nogil=True)
def link(pairs, every, language, places, place, weight):  # type: ignore[no-untyped-def]
    """Enter the pair at a place."""
    key = _key(places, place)
    slot = _count(pairs, language, key, weight)
    head = pairs.heads[language, slot]
    places.before[place], places.after[place] = NONE, head
    if head != NONE:
        places.before[head] = place
    pairs.heads[language, slot] = place
    if len(every.used):
        _count(every, 0, key, weight)


@njit(cache=True, nogil=True)
def _count(pairs, language, key, weight):  # type: ignore[no-untyped-def]
    """Count a pair: its slot."""
    slot = slot_of(pairs.keys, language, key)
    if pairs.keys[language, slot] == NONE:
        pairs.keys[language, slot] = key
        pairs.used[language] += 1
    pairs.counts[language, slot] += weight
    pairs.tops[language, slot // BLOCK] = max(pairs.tops[language, slot // BLOCK], pairs.counts[language, slot])
    return slot


@njit(cache=True, nogil=True)
def unlink(pairs, every, language, places, place, weight):  # type: ignore[no-untyped-def]
    """Take out the pair at a place."""
    key = _key(places, place)
    slot = slot_of(pairs.keys, language, key)
    before, after = places.before[place], places.after[place]
    if before == NONE:
        pairs.heads[language, slot] = after
    else:
        places.after[before] = after
    if after != NONE:
        places.before[after] = before
    pairs.counts[language, slot] -= weight
    if len(every.used):
        every.counts[0, slot_of(every.keys, 0, key)] -= weight


@njit(cache=True, nogil=True)
def _move(old, new):  # type: ignore[no-untyped-def]
    """Enter the pairs that still occur into larger tables."""
    for language in range(len(old.used)):
        for slot in range(old.keys.shape[1]):
            if old.counts[language, slot] > 0:
                to = _count(new, language, old.keys[language, slot], old.counts[language, slot])
                new.heads[language, to] = old.heads[language, slot]


@njit(cache=True, nogil=True)
def _key(places, place):  # type: ignore[no-untyped-def]
    return np.int64(places.symbol[place]) << HALF | np.int64(places.symbol[places.right[place]])


@njit(cache=True, nogil=True)
def roomy(pairs, language, more):  # type: ignore[no-untyped-def]
    """Whether a table is at most three quarters full with so many pairs more."""
    return 4 * (pairs.used[language] + more) <= 3 * pairs.keys.shape[1]


@njit(cache=True, nogil=True)
def slot_of(keys, language, key):  # type: ignore[no-untyped-def]
    """Where a pair stands in a language's table with a power of two of slots, or the empty slot where it belongs."""
    last = np.uint64(keys.shape[1] - 1)
    place = mix(np.uint64(key)) & last
    while keys[language, place] != key and keys[language, place] != NONE:
        place = (place + np.uint64(1)) & last
    return place
