"""Hashed n-grams: texts of any script straight to bucket numbers, by compiled code over code points.

A *token* is a run of letters and digits, or a single character where a script is written without spaces, or a
punctuation mark. Words give n-grams of 1 to ``words`` tokens (lower half of the buckets); runs of letters also give
their n-grams of 2 to ``chars`` characters, the word's edges marked (upper half), which carries endings, compounds
and misspellings. The ends of a text count as tokens in n-grams of two and more, and one n-gram is a token longer, the start with
the first ``words`` tokens: how a question begins says what it asks.
Of each text the characters' buckets come first, then the words'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.kernels import kernel
from ..core.threads import available, share
from .characters import LETTER, SPACE, classes, lower, points
from .hashing import FNV_OFFSET, FNV_PRIME, mix

_EDGE = np.uint64(0x110001)  # stands for a word's edge; no code point has this number
_SINGLE, _PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_START, _END = np.uint64(0x8EBC6AF09C88C6E3), np.uint64(0x589965CC75374CC3)  # the ends of a text, in its n-grams of words
_SHORTEST = 2  # characters in the shortest character n-gram


def hashed_ngrams(texts: Sequence[str], words: int, chars: int, bits: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The buckets (below 2^bits) of every n-gram of every text, end to end, and the N + 1 offsets of the texts."""
    codes, starts = points(texts)
    offsets = _offsets(codes, starts, words, chars)
    buckets = np.empty(offsets[-1], np.uint32)
    shift = np.uint64(64 - bits + 1)
    room = np.empty(_room(texts), np.uint64)
    given = codes, starts, classes(), lower(), words, chars, shift, offsets
    share(_emit_all, len(codes), *given, room, None, buckets, None, None, most=len(room))
    return buckets, offsets


def words_in(text: str) -> Iterator[str]:
    """The tokens of a text as ``hashed_ngrams`` has them, in lower case."""
    kinds, run = classes(), ""
    for char in text:
        kind = kinds[ord(char)]
        if kind == LETTER:
            run += char
            continue
        if run:
            yield run.lower()
        run = ""
        if kind != SPACE:
            yield char.lower()
    if run:
        yield run.lower()


@dataclass(slots=True)
class Located:
    """Every n-gram of some texts, as ``hashed_ngrams`` has them, and where each stands.

    spans: the first code point of each and the one after its last [n-grams, 2], in all texts end to end; the ends of words and
    texts take no place. rest: bits of each hash that its bucket leaves out: n-grams that differ in them are different.
    """

    buckets: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    spans: NDArray[np.int32]
    rest: NDArray[np.uint32]


def located_ngrams(texts: Sequence[str], words: int, chars: int, bits: int) -> Located:
    """The same, with the places of the n-grams: some 16 bytes for each.

    Raises:
        UsageError: the texts are longer than places can be told of.
    """
    codes, starts = points(texts)
    if len(codes) > np.iinfo(np.int32).max:
        raise UsageError(f"the texts have {len(codes):,} characters; n-grams are located in up to 2^31. Give fewer at once.")
    offsets = _offsets(codes, starts, words, chars)
    count = int(offsets[-1])
    found = Located(np.empty(count, np.uint32), offsets, np.empty((count, 2), np.int32), np.empty(count, np.uint32))
    rooms = np.empty(_room(texts), np.uint64), np.empty((*_room(texts), 2), np.int32)
    shift, arrays = np.uint64(64 - bits + 1), (*rooms, found.buckets, found.spans, found.rest)
    given = codes, starts, classes(), lower(), words, chars, shift, offsets
    share(_emit_all, len(codes), *given, *arrays, most=len(rooms[0]))
    return found


def _offsets(codes: NDArray[np.uint32], starts: NDArray[np.int64], words: int, chars: int) -> NDArray[np.int64]:
    """Where each text's n-grams begin."""
    offsets = np.zeros(len(starts), np.int64)
    share(_count_all, len(codes), codes, starts, classes(), words, chars, offsets)
    return offsets.cumsum(out=offsets)


def _room(texts: Sequence[str]) -> tuple[int, int]:
    """Threads, and the most tokens of a text with its ends."""
    return available(), max(map(len, texts), default=0) + 2


@kernel
def _count_all(part, parts, codes, starts, kinds, words, chars, counts):  # type: ignore[no-untyped-def]
    """How many n-grams each text of one part has, into ``counts[1:]``."""
    texts = len(starts) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        i, stop, found, grams = starts[text], starts[text + 1], 0, 0
        while i < stop:
            kind = kinds[codes[i]]
            end = i + 1
            if kind == LETTER:
                while end < stop and kinds[codes[end]] == LETTER:
                    end += 1
                for length in range(_SHORTEST, chars + 1):
                    grams += max(end - i + 2 - length + 1, 0)  # the word's two edges count as characters
            found += kind != SPACE
            i = end
        for length in range(2, words + 1 if found else 0):
            grams += max(found + 2 - length + 1, 0)  # the text's two ends count as tokens
        grams += 1 < words <= found + 1  # the start with as many tokens
        counts[text + 1] = grams + found


@kernel
def _emit_all(part, parts, codes, starts, kinds, small, words, chars, shift, offsets, room, place_room, buckets, spans, rest):  # type: ignore[no-untyped-def]
    """The n-grams of the texts of one part, each text's from its offset on. Without ``spans`` the compiler leaves them out."""
    texts, tokens = len(starts) - 1, room[part]
    tokens[0] = _START
    places = None if spans is None else place_room[part]
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        begin, end = starts[text], starts[text + 1]
        _emit(codes, begin, end, kinds, small, words, chars, shift, tokens, places, buckets, spans, rest, offsets[text])


@kernel
def _emit(codes, i, stop, kinds, small, words, chars, shift, tokens, places, buckets, spans, rest, out):  # type: ignore[no-untyped-def]
    """The n-grams of the text from code point ``i`` to ``stop``, to ``buckets[out:]``; ``tokens`` and ``places`` are room."""
    upper_half = np.uint32(1) << np.uint32(np.uint64(64) - shift)
    found = 0
    while i < stop:
        kind = kinds[codes[i]]
        end = i + 1
        if kind == SPACE:
            i = end
            continue
        token = mix(np.uint64(small[codes[i]]) + _SINGLE)
        if kind == LETTER:
            token = (FNV_OFFSET ^ np.uint64(small[codes[i]])) * FNV_PRIME
            while end < stop and kinds[codes[end]] == LETTER:
                token = (token ^ np.uint64(small[codes[end]])) * FNV_PRIME
                end += 1
            token = mix(token)
            marked = end - i + 2  # the word between its two edges
            for first in range(marked if chars >= _SHORTEST else 0):
                gram = FNV_OFFSET
                for place in range(first, min(first + chars, marked)):
                    edge = place == 0 or place == marked - 1
                    gram = (gram ^ (_EDGE if edge else np.uint64(small[codes[i + place - 1]]))) * FNV_PRIME
                    if place - first + 1 >= _SHORTEST:
                        hashed = mix(gram)
                        buckets[out] = np.uint32(hashed >> shift) + upper_half
                        if spans is not None:
                            spans[out, 0], spans[out, 1] = i + max(first - 1, 0), min(i + place, end)
                            rest[out] = np.uint32(hashed)
                        out += 1
        found += 1
        tokens[found] = token
        if spans is not None:
            places[found, 0], places[found, 1] = i, end
        i = end
    tokens[found + 1] = _END
    for first in range(found + 1 if found else 0):
        gram = tokens[first]
        longest = words + (first == 0 and words > 1)  # the start comes on top of as many tokens
        for place in range(first, min(first + longest, found + 2)):
            if place > first:
                gram = gram * _PAIR ^ tokens[place]
            elif first == 0:
                continue  # the start alone says nothing
            hashed = mix(gram)
            buckets[out] = np.uint32(hashed >> shift)
            if spans is not None:
                spans[out, 0], spans[out, 1] = places[max(first, 1), 0], places[min(place, found), 1]
                rest[out] = np.uint32(hashed)
            out += 1
