"""Merges of byte pairs, chosen for the language that takes the most tokens at the time: the compiled part of their training.

A merge touches the places where its pair stands and no other (``pair_places``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .pair_places import HALF, NONE, Pairs, Places, link, most_frequent, occurrences, roomy, slot_of, unlink

BYTES = 256
_SLOTS = 1 << 12  # of a table at first
_FEWEST = 2  # a symbol for what stands once saves nothing elsewhere
_BASE = np.uint64(0x9E3779B97F4A7C15)  # a symbol's hash is the polynomial of its bytes at this number
_DONE, _FULL, _ALL_FULL = range(3)


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
    places = Places(owner, spelled, *(np.full(len(owner), NONE, np.int32) for _ in range(4)))
    pairs, every, made = Pairs.empty(len(languages), _SLOTS), Pairs.empty(int(plain > 0), _SLOTS), _Made.empty(symbols)
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
        if not roomy(pairs, language, end - begin):
            return word, _FULL
        if len(every.used) and not roomy(every, 0, end - begin):
            return word, _ALL_FULL
        tokens[language] += counts[word] * (end - begin)
        for place in range(begin + 1, end):
            places.left[place], places.right[place - 1] = place - 1, place
        for place in range(begin, end - 1):
            link(pairs, every, language, places, place, counts[word])
    return len(counts), _DONE


@njit(cache=True, nogil=True)
def _merge(sizes, first, counts, places, pairs, every, made, tokens, spent):  # type: ignore[no-untyped-def]
    """Merge on until there are symbols enough or nothing is left to merge; or until a table has no room."""
    while made.counts[0] < len(made.hashes) and made.counts[1] < len(made.merges):
        if made.counts[0] < first:
            count, key = most_frequent(every, 0)
            if count < _FEWEST:
                return _DONE
        else:
            worst = NONE
            for language in range(len(sizes)):
                cost = tokens[language] / sizes[language]
                if not spent[language] and (worst == NONE or cost > tokens[worst] / sizes[worst]):
                    worst = language
            if worst == NONE:
                return _DONE
            count, key = most_frequent(pairs, worst)
            if count < _FEWEST:
                spent[worst] = True
                continue
        most, total = 2 * (made.counts[0] + 1), 0  # pairs with the new symbol, of one language and of all
        for language in range(len(sizes)):
            more = min(2 * occurrences(pairs, language, places, key), most)
            total += more
            if not roomy(pairs, language, more):
                return _FULL
        if len(every.used) and not roomy(every, 0, min(total, most)):
            return _ALL_FULL
        symbol = _symbol(key, made)
        for language in range(len(sizes)):
            tokens[language] -= _replace(pairs, every, language, places, key, symbol, counts)
    return _DONE


@njit(cache=True, nogil=True)
def _symbol(key, made):  # type: ignore[no-untyped-def]
    """The symbol that a merge makes: a new one, or the one that spells the same."""
    first, second = key >> HALF, key & ((np.int64(1) << HALF) - 1)
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
    slot, saved = slot_of(pairs.keys, language, key), 0
    twins = key >> HALF == key & ((np.int64(1) << HALF) - 1)
    while pairs.keys[language, slot] == key and pairs.heads[language, slot] != NONE:
        place = pairs.heads[language, slot]
        while twins and places.left[place] != NONE and places.symbol[places.left[place]] == places.symbol[place]:
            place = places.left[place]  # a run is merged from its beginning, as it is when texts are encoded
        word, left, gone = places.word[place], places.left[place], places.right[place]
        right, weight = places.right[gone], counts[word]
        unlink(pairs, every, language, places, place, weight)
        if left != NONE:
            unlink(pairs, every, language, places, left, weight)
        if right != NONE:
            unlink(pairs, every, language, places, gone, weight)
            places.left[right] = place
        places.symbol[place], places.right[place] = symbol, right
        if left != NONE:
            link(pairs, every, language, places, left, weight)
        if right != NONE:
            link(pairs, every, language, places, place, weight)
        saved += weight
    return saved
