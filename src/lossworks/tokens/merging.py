"""Merges of byte pairs, chosen for the language that takes the most tokens at the time: the compiled part of their training.

Words lie end to end in one array of symbols, each language's together. A pair of neighbours stands at the place of its first
symbol; places with the same pair form a linked list, whose head and count are in a hash table of the language. So a merge touches
the places where its pair stands and no other, and a table's slots are scanned for the most frequent pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .hashing import mix

BYTES = 256
_FEWEST = 2  # a symbol for what stands once saves nothing elsewhere
_SLOTS, _BLOCK = 1 << 12, 1 << 8  # of a table at first, and of those that are looked through together
_NONE = -1
_HALF = np.int64(32)  # a pair is one number: its first symbol in the upper half
_BASE = np.uint64(0x9E3779B97F4A7C15)  # a symbol's hash is the polynomial of its bytes at this number
_DONE, _FULL, _ALL_FULL = range(3)


class _Places(NamedTuple):
    """Of each place: its word, its symbol, its neighbours in the word, and those in the list of its pair. -1: there is none."""

    word: NDArray[np.int32]
    symbol: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    before: NDArray[np.int32]
    after: NDArray[np.int32]


class _Pairs(NamedTuple):
    """A hash table a language [L, slots]: pairs, how often each is counted, its first place; and slots used [L].

    tops [L, blocks]: bounds of the counts in each block of slots, which rise with them, and fall when they are next looked at.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    heads: NDArray[np.int32]
    used: NDArray[np.int64]
    tops: NDArray[np.int64]

    @classmethod
    def empty(cls, languages: int, slots: int) -> _Pairs:
        shape = (languages, slots)
        keys, heads = np.full(shape, _NONE, np.int64), np.full(shape, _NONE, np.int32)
        tops = np.zeros((languages, slots // _BLOCK), np.int64)
        return cls(keys, np.zeros(shape, np.int64), heads, np.zeros(languages, np.int64), tops)

    def grown(self) -> _Pairs:
        found = _Pairs.empty(len(self.used), 2 * self.keys.shape[1])
        _move(self, found)
        return found


class _Made(NamedTuple):
    """Merges [M, 2] and symbols, of each of which the hash and what the hash before it is multiplied by when one is put after it.

    counts: how many symbols and merges there are.
    """

    merges: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    powers: NDArray[np.uint64]
    counts: NDArray[np.int64]

    @classmethod
    def empty(cls, most: int) -> _Made:
        hashes = np.zeros(most, np.uint64)
        hashes[:BYTES] = np.arange(1, BYTES + 1)
        return cls(np.empty((2 * most, 2), np.int32), hashes, np.full(most, _BASE), np.array([BYTES, 0]))


def merges_of(
    languages: Sequence[Mapping[bytes, int]], sizes: Sequence[float], symbols: int, plain: float = 0.0
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The pairs of symbols to merge, in their order [M, 2], and what each language then costs [L].

    Symbols are the 256 bytes, and from 256 on those that merges make, but for what spells the same as one before it.

    Args:
        languages: how often each word occurs in each language.
        sizes: what a language's tokens are divided by to be compared [L], such as its number of texts.
        symbols: how many there may be; there are fewer where no pair occurs twice in any language.
        plain: the share of the new symbols, the first ones, for which the most frequent pair of all languages together is merged.
    """
    words, share = [word for counts in languages for word in counts], np.array(sizes, np.float64)
    counts = np.array([count for counts in languages for count in counts.values()], np.int64)
    bounds, firsts = (np.cumsum([0, *map(len, parts)], dtype=np.int64) for parts in (words, languages))
    owner = np.repeat(np.arange(len(words), dtype=np.int32), np.diff(bounds))
    spelled = np.frombuffer(b"".join(words), np.uint8).astype(np.int32)
    places = _Places(owner, spelled, *(np.full(len(owner), _NONE, np.int32) for _ in range(4)))
    pairs, every, made = _Pairs.empty(len(languages), _SLOTS), _Pairs.empty(int(plain > 0), _SLOTS), _Made.empty(symbols)
    first = BYTES + round(plain * (symbols - BYTES))
    tokens, spent, at = np.zeros(len(languages), np.int64), np.zeros(len(languages), np.bool_), 0
    state = _FULL
    while state != _DONE:
        at, state = _enter(at, firsts, bounds, counts, places, pairs, every, tokens)
        if state == _DONE:
            state = _merge(share, first, counts, places, pairs, every, made, tokens, spent)
        pairs, every = (pairs.grown() if state == _FULL else pairs), (every.grown() if state == _ALL_FULL else every)
    return made.merges[: made.counts[1]], tokens / share


@njit(cache=True, nogil=True)
def _enter(at, firsts, bounds, counts, places, pairs, every, tokens):  # type: ignore[no-untyped-def]
    """Enter the words from ``at`` on: how many are entered then, and whether all of them, or which table has no room."""
    language = np.searchsorted(firsts, at, "right") - 1
    for word in range(at, len(counts)):
        while word >= firsts[language + 1]:
            language += 1
        begin, end = bounds[word], bounds[word + 1]
        if not _roomy(pairs, language, end - begin):
            return word, _FULL
        if len(every.used) and not _roomy(every, 0, end - begin):
            return word, _ALL_FULL
        tokens[language] += counts[word] * (end - begin)
        for place in range(begin + 1, end):
            places.left[place], places.right[place - 1] = place - 1, place
        for place in range(begin, end - 1):
            _link(pairs, every, language, places, place, counts[word])
    return len(counts), _DONE


@njit(cache=True, nogil=True)
def _merge(sizes, first, counts, places, pairs, every, made, tokens, spent):  # type: ignore[no-untyped-def]
    """Merge on until there are symbols enough or nothing is left to merge; or until a table has no room."""
    while made.counts[0] < len(made.hashes) and made.counts[1] < len(made.merges):
        if made.counts[0] < first:
            count, key = _most_frequent(every, 0)
            if count < _FEWEST:
                return _DONE
        else:
            worst = _NONE
            for language in range(len(sizes)):
                cost = tokens[language] / sizes[language]
                if not spent[language] and (worst == _NONE or cost > tokens[worst] / sizes[worst]):
                    worst = language
            if worst == _NONE:
                return _DONE
            count, key = _most_frequent(pairs, worst)
            if count < _FEWEST:
                spent[worst] = True
                continue
        most, total = 2 * (made.counts[0] + 1), 0  # pairs with the new symbol, of one language and of all
        for language in range(len(sizes)):
            more = min(2 * _occurrences(pairs, language, places, key), most)
            total += more
            if not _roomy(pairs, language, more):
                return _FULL
        if len(every.used) and not _roomy(every, 0, min(total, most)):
            return _ALL_FULL
        symbol = _symbol(key, made)
        for language in range(len(sizes)):
            tokens[language] -= _replace(pairs, every, language, places, key, symbol, counts)
    return _DONE


@njit(cache=True, nogil=True)
def _symbol(key, made):  # type: ignore[no-untyped-def]
    """The symbol that a merge makes: a new one, or the one that spells the same."""
    first, second = key >> _HALF, key & ((np.int64(1) << _HALF) - 1)
    made.merges[made.counts[1]] = first, second
    made.counts[1] += 1
    spelled, symbols = made.hashes[first] * made.powers[second] + made.hashes[second], made.counts[0]
    for symbol in range(symbols):
        if made.hashes[symbol] == spelled:
            return symbol
    made.hashes[symbols], made.powers[symbols] = spelled, made.powers[first] * made.powers[second]
    made.counts[0] += 1
    return symbols


@njit(cache=True, nogil=True)
def _replace(pairs, every, language, places, key, symbol, counts):  # type: ignore[no-untyped-def]
    """Merge a pair wherever it stands in a language; how many tokens fewer its texts then have."""
    slot, saved = _slot(pairs.keys, language, key), 0
    twins = key >> _HALF == key & ((np.int64(1) << _HALF) - 1)
    while pairs.keys[language, slot] == key and pairs.heads[language, slot] != _NONE:
        place = pairs.heads[language, slot]
        while twins and places.left[place] != _NONE and places.symbol[places.left[place]] == places.symbol[place]:
            place = places.left[place]  # a run is merged from its beginning, as it is when texts are encoded
        word, left, gone = places.word[place], places.left[place], places.right[place]
        right, weight = places.right[gone], counts[word]
        _unlink(pairs, every, language, places, place, weight)
        if left != _NONE:
            _unlink(pairs, every, language, places, left, weight)
        if right != _NONE:
            _unlink(pairs, every, language, places, gone, weight)
            places.left[right] = place
        places.symbol[place], places.right[place] = symbol, right
        if left != _NONE:
            _link(pairs, every, language, places, left, weight)
        if right != _NONE:
            _link(pairs, every, language, places, place, weight)
        saved += weight
    return saved


@njit(cache=True, nogil=True)
def _most_frequent(pairs, language):  # type: ignore[no-untyped-def]
    """The highest count of a pair, and of the pairs that have it the one of the smallest numbers."""
    best, found, highest = np.int64(-1), np.int64(-1), np.int64(0)
    while best < highest:  # until the highest bound, made exact, is still the highest
        block, highest = 0, np.int64(0)
        for other in range(pairs.tops.shape[1]):
            if pairs.tops[language, other] > highest:
                block, highest = other, pairs.tops[language, other]
        best = np.int64(0)
        for slot in range(block * _BLOCK, (block + 1) * _BLOCK):
            best = max(best, pairs.counts[language, slot])
        pairs.tops[language, block] = best
    for block in range(pairs.tops.shape[1]):
        if pairs.tops[language, block] == best:
            for slot in range(block * _BLOCK, (block + 1) * _BLOCK):
                if pairs.counts[language, slot] == best and (found < 0 or pairs.keys[language, slot] < found):
                    found = pairs.keys[language, slot]
    return best, found


@njit(cache=True, nogil=True)
def _occurrences(pairs, language, places, key):  # type: ignore[no-untyped-def]
    slot, found = _slot(pairs.keys, language, key), 0
    place = pairs.heads[language, slot]
    while place != _NONE:
        found += 1
        place = places.after[place]
    return found


@njit(cache=True, nogil=True)
def _link(pairs, every, language, places, place, weight):  # type: ignore[no-untyped-def]
    """Enter the pair at a place."""
    key = _key(places, place)
    slot = _count(pairs, language, key, weight)
    head = pairs.heads[language, slot]
    places.before[place], places.after[place] = _NONE, head
    if head != _NONE:
        places.before[head] = place
    pairs.heads[language, slot] = place
    if len(every.used):
        _count(every, 0, key, weight)


@njit(cache=True, nogil=True)
def _count(pairs, language, key, weight):  # type: ignore[no-untyped-def]
    """Count a pair: its slot."""
    slot = _slot(pairs.keys, language, key)
    if pairs.keys[language, slot] == _NONE:
        pairs.keys[language, slot] = key
        pairs.used[language] += 1
    pairs.counts[language, slot] += weight
    pairs.tops[language, slot // _BLOCK] = max(pairs.tops[language, slot // _BLOCK], pairs.counts[language, slot])
    return slot


@njit(cache=True, nogil=True)
def _unlink(pairs, every, language, places, place, weight):  # type: ignore[no-untyped-def]
    """Take out the pair at a place."""
    key = _key(places, place)
    slot = _slot(pairs.keys, language, key)
    before, after = places.before[place], places.after[place]
    if before == _NONE:
        pairs.heads[language, slot] = after
    else:
        places.after[before] = after
    if after != _NONE:
        places.before[after] = before
    pairs.counts[language, slot] -= weight
    if len(every.used):
        every.counts[0, _slot(every.keys, 0, key)] -= weight


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
    return np.int64(places.symbol[place]) << _HALF | np.int64(places.symbol[places.right[place]])


@njit(cache=True, nogil=True)
def _roomy(pairs, language, more):  # type: ignore[no-untyped-def]
    """Whether a table is at most three quarters full with so many pairs more."""
    return 4 * (pairs.used[language] + more) <= 3 * pairs.keys.shape[1]


@njit(cache=True, nogil=True)
def _slot(keys, language, key):  # type: ignore[no-untyped-def]
    """Where a pair stands in a language's table with a power of two of slots, or the empty slot where it belongs."""
    last = np.uint64(keys.shape[1] - 1)
    place = mix(np.uint64(key)) & last
    while keys[language, place] != key and keys[language, place] != _NONE:
        place = (place + np.uint64(1)) & last
    return place
