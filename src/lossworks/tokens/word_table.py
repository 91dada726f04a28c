"""Words by the million: where they stand in the texts, a 64-bit hash of each, and tables from hashes to numbers.

Two words share a hash once in some 10^19 pairs.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import share
from .characters import LIMIT, lower, points, text_of
from .hashing import FNV_OFFSET, FNV_PRIME, mix

_AT_ONCE = 1 << 14  # new words there must be room for; an eighth of the smallest table


@dataclass(slots=True)
class Words:
    """The words of texts: code points ``codes[begin:end]`` of each, a hash of each, and the offsets of the texts among them."""

    codes: NDArray[np.uint32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]

    def spelled(self, word: int) -> str:
        """One word as text."""
        return text_of(self.codes[self.begin[word] : self.end[word]])


def words_of(texts: Sequence[str], lowered: bool, ascii_only: bool = False) -> Words:
    """What stands between white space (as Python's ``str.split`` sees it, or ASCII's alone), in lower case if ``lowered``."""
    codes, starts = points(texts)
    if lowered:
        codes = lower()[codes]
    offsets = np.zeros(len(texts) + 1, np.int64)
    spaces = _spaces(ascii_only)
    share(_count, len(codes), codes, starts, spaces, offsets)
    np.cumsum(offsets, out=offsets)
    count = int(offsets[-1])
    found = Words(codes, np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint64), offsets)
    share(_find, len(codes), codes, starts, spaces, offsets, found.begin, found.end, found.hashes)
    return found


class WordTable:
    """Numbers of words by their hashes: distinct words are numbered as they come."""

    def __init__(self) -> None:
        self.used = 0
        self._keys = np.zeros(8 * _AT_ONCE, np.uint64)
        self._numbers = np.zeros(8 * _AT_ONCE, np.int64)
        self.counts = np.zeros(4 * _AT_ONCE, np.int64)

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Count words; the places in ``hashes`` of those that are new, in the order of their numbers."""
        fresh = [np.empty(0, np.int64)]
        first = 0
        while first < len(hashes):
            if len(self.counts) - self.used < _AT_ONCE:
                self._grow()
            piece = hashes[first : first + len(self.counts) - self.used]
            places = np.empty(len(piece), np.int64)
            used = np.array([self.used])
            _tally(piece, self._keys, self._numbers, self.counts, used, places)
            fresh.append(first + places[: used[0] - self.used])
            self.used = int(used[0])
            first += len(piece)
        return np.concatenate(fresh)

    def numbers(self, hashes: NDArray[np.uint64], values: NDArray[Any], missing: int) -> NDArray[Any]:
        """``values[number]`` of each word, ``missing`` where it is not in the table."""
        found = np.empty(len(hashes), values.dtype)
        share(_look_up, len(hashes), hashes, self._keys, self._numbers, values, missing, found)
        return found

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        self._keys, self._numbers = np.zeros(2 * len(keys), np.uint64), np.zeros(2 * len(keys), np.int64)
        self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
        _move(keys, numbers, self._keys, self._numbers)


@functools.cache
def _spaces(ascii_only: bool) -> NDArray[np.bool_]:
    """Which code points part words."""
    parting = "\t\n\r " if ascii_only else filter(str.isspace, map(chr, range(LIMIT)))
    table = np.zeros(LIMIT, np.bool_)
    table[[ord(char) for char in parting]] = True
    return table


@kernel
def _count(part, parts, codes, starts, spaces, counts):  # type: ignore[no-untyped-def]
    """How many words each text of one part has, into ``counts[1:]``."""
    texts = len(starts) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        words, inside = 0, False
        for i in range(starts[text], starts[text + 1]):
            space = spaces[codes[i]]
            words += not (space or inside)
            inside = not space
        counts[text + 1] = words


@kernel
def _find(part, parts, codes, starts, spaces, offsets, begin, end, hashes):  # type: ignore[no-untyped-def]
    """The words of the texts of one part, each text's from its offset on. No hash is 0, which marks an empty slot."""
    texts = len(starts) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        i, stop, word = starts[text], starts[text + 1], offsets[text]
        while i < stop:
            if spaces[codes[i]]:
                i += 1
                continue
            h = FNV_OFFSET
            begin[word] = i
            while i < stop and not spaces[codes[i]]:
                h = (h ^ np.uint64(codes[i])) * FNV_PRIME
                i += 1
            end[word] = i
            hashes[word] = max(mix(h), np.uint64(1))
            word += 1


@kernel(inline="always")
def _slot(h, keys):  # type: ignore[no-untyped-def]
    """Where ``h`` stands in a table with a power of two of slots, or the empty slot where it belongs."""
    last = np.uint64(len(keys) - 1)
    place = h & last
    while keys[place] != h and keys[place] != 0:
        place = (place + np.uint64(1)) & last
    return place


@kernel
def _tally(hashes, keys, numbers, counts, used, places):  # type: ignore[no-untyped-def]
    """Count words; the new ones get the numbers from ``used[0]`` on, which is raised, and ``places`` says where they are."""
    known, fresh = used[0], 0
    for i in range(len(hashes)):
        slot = _slot(hashes[i], keys)
        if keys[slot] == 0:
            keys[slot] = hashes[i]
            numbers[slot] = known + fresh
            places[fresh] = i
            fresh += 1
        counts[numbers[slot]] += 1
    used[0] = known + fresh


@kernel
def _move(keys, numbers, to_keys, to_numbers):  # type: ignore[no-untyped-def]
    for i in range(len(keys)):
        if keys[i] != 0:
            slot = _slot(keys[i], to_keys)
            to_keys[slot] = keys[i]
            to_numbers[slot] = numbers[i]


@kernel
def _look_up(part, parts, hashes, keys, numbers, values, missing, found):  # type: ignore[no-untyped-def]
    for i in range(len(hashes) * part // parts, len(hashes) * (part + 1) // parts):
        slot = _slot(hashes[i], keys)
        found[i] = missing if keys[slot] == 0 else values[numbers[slot]]
