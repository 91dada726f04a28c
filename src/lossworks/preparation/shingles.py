"""Shingles, the runs of letters that texts are compared by, their MinHash signatures, and their true Jaccard similarity.

A shingle begins at every letter or digit and goes on to a weight of ``WIDTH``: four letters of an alphabet, three syllables
(kana, Hangul, Ethiopic), two ideographs. Case, spaces and punctuation do not count. They are letters rather than words, so that
what a misspelling costs does not depend on how long a language's words are.

In a long text any few letters stand somewhere: from ``LONG`` letters on, shingles are of twice the weight. In a short one a
letter may be all the difference ("the 3rd president", "the 23rd president"): below the weight ``SHORT``, 40 letters of an
alphabet or 20 ideographs, the whole text is one shingle. One without letters is read with all its marks. So only the empty text
says nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from ..tokens.hashing import FNV_PRIME, mix
from .characters import UNIT, decode, letters
from .texts import Texts

WIDTH, LONG, SHORT = 8, 1000, 80
BANDS, EACH = 20, 5
_INVERSE = np.uint64(pow(int(FNV_PRIME), -1, 1 << 64))
_SALT = np.random.default_rng(1).integers(0, 1 << 32, (2, BANDS * EACH), np.uint32)
_SALT[0] |= np.uint32(1)  # odd, so that the product is an order of all numbers


def bands(texts: Texts) -> NDArray[np.uint64]:
    """The bands of each text's MinHash signature [N, 20], each of five minima (Broder 1997; Leskovec et al., Mining of Massive
    Datasets, 3.4). Two texts whose shingles have a Jaccard similarity of .7 share one or more with probability .975, at .8 .9996,
    at .1 .0002. They depend on the text alone.
    """
    found = np.empty((len(texts), BANDS), np.uint64)
    share(_sign_all, len(texts.bytes), texts.bytes, texts.offsets, letters(), _SALT, found)
    return found


def jaccard(one: Texts, other: Texts) -> NDArray[np.float64]:
    """The Jaccard similarity of text i of ``one`` and text i of ``other`` [N], of their whole sets of shingles.

    A text that is long enough for longer shingles and one that is not are compared by the longer ones.
    """
    return jaccard_of(one, np.arange(len(one)), other, np.arange(len(other)))


def jaccard_of(one: Texts, rows: NDArray[np.int64], other: Texts, of: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same of text ``rows[i]`` of ``one`` and text ``of[i]`` of ``other``."""
    found = np.empty(len(rows))
    work = len(rows) * 1000
    share(_compare_all, work, one.bytes, one.offsets, rows, other.bytes, other.offsets, of, letters(), found)
    return found


@njit(cache=True, nogil=True)
def _read(bytes, begin, stop, letters, codes, weights):  # type: ignore[no-untyped-def]
    """The letters of a text in lower case and their weights, to ``codes`` and ``weights``; how many there are."""
    count, i = 0, begin
    while i < stop:
        code, i = decode(bytes, i, stop)
        letter = letters[code]
        weight = letter >> 21
        if weight:
            codes[count] = letter & 0x1FFFFF
            weights[count] = weight
            count += 1
    if count == 0:
        i = begin
        while i < stop:
            code, i = decode(bytes, i, stop)
            if code > 0x20:
                codes[count], weights[count] = code, UNIT
                count += 1
    return count


@njit(cache=True, nogil=True)
def _shingle(codes, weights, long, shingles):  # type: ignore[no-untyped-def]
    """The hashes of a text's shingles to ``shingles``; how many there are, at least one."""
    count, total = len(codes), 0
    for start in range(count):
        total += weights[start]
    width = total if total < SHORT else 2 * WIDTH if long else WIDTH
    found, end, weight, whole, power = 0, 0, 0, np.uint64(0), np.uint64(1)
    for start in range(count):
        while weight < width and end < count:  # whole: a polynomial in the prime of the letters from start to end
            whole = whole * FNV_PRIME + np.uint64(codes[end])
            power *= FNV_PRIME
            weight += weights[end]
            end += 1
        if weight < width:
            break
        shingles[found] = mix(whole)
        found += 1
        power *= _INVERSE
        whole -= np.uint64(codes[start]) * power
        weight -= weights[start]
    if found == 0:
        shingles[0] = 0
    return max(found, 1)


@njit(cache=True, nogil=True)
def _longest(offsets, rows):  # type: ignore[no-untyped-def]
    longest = 1
    for row in rows:
        longest = max(longest, offsets[row + 1] - offsets[row])
    return longest


@njit(cache=True, nogil=True)
def _minima(shingles, times, plus, least):  # type: ignore[no-untyped-def]
    """The smallest of the shingles under each of the random orders; types and lengths are such that it is done by vectors."""
    least[:] = np.uint32(0xFFFFFFFF)
    for shingle in shingles:
        high = np.uint32(shingle >> np.uint64(32))
        for k in range(BANDS * EACH):
            value, before = np.uint32(np.uint32(times[k] * high) + plus[k]), least[k]
            least[k] = value if value < before else before


@njit(cache=True, nogil=True)
def _sign_all(part, parts, bytes, offsets, letters, salt, bands):  # type: ignore[no-untyped-def]
    texts = len(offsets) - 1
    own = range(texts * part // parts, texts * (part + 1) // parts)
    longest = _longest(offsets, own)
    codes, weights = np.empty(longest, np.uint32), np.empty(longest, np.uint8)
    shingles, least = np.empty(longest, np.uint64), np.empty(BANDS * EACH, np.uint32)
    times, plus = salt[0].copy(), salt[1].copy()
    for text in own:
        count = _read(bytes, offsets[text], offsets[text + 1], letters, codes, weights)
        found = _shingle(codes[:count], weights[:count], count >= LONG, shingles)
        _minima(shingles[:found], times, plus, least)
        for band in range(bands.shape[1]):
            whole = np.uint64(band + 1)
            for k in range(band * EACH, (band + 1) * EACH):
                whole = mix(whole ^ np.uint64(least[k])) * FNV_PRIME
            bands[text, band] = whole


@njit(cache=True, nogil=True)
def _compare_all(part, parts, bytes, offsets, rows, their_bytes, their_offsets, of, letters, likeness):  # type: ignore[no-untyped-def]
    first, last = len(rows) * part // parts, len(rows) * (part + 1) // parts
    longest = max(_longest(offsets, rows[first:last]), _longest(their_offsets, of[first:last]))
    codes, weights = np.empty((2, longest), np.uint32), np.empty((2, longest), np.uint8)
    mine, theirs = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    table = np.empty(8, np.uint64)
    for pair in range(first, last):
        row, other = rows[pair], of[pair]
        n = _read(bytes, offsets[row], offsets[row + 1], letters, codes[0], weights[0])
        m = _read(their_bytes, their_offsets[other], their_offsets[other + 1], letters, codes[1], weights[1])
        long = max(n, m) >= LONG
        n = _shingle(codes[0, :n], weights[0, :n], long, mine)
        m = _shingle(codes[1, :m], weights[1, :m], long, theirs)
        size = len(table)
        while size < 2 * (n + m):
            size *= 2
        if size > len(table):
            table = np.empty(size, np.uint64)
        likeness[pair] = _likeness(mine[:n], theirs[:m], table)


@njit(cache=True, nogil=True)
def _likeness(one, other, table):  # type: ignore[no-untyped-def]
    """|A ∩ B| / |A ∪ B| of two arrays as sets, by a table with open addresses; the lowest bit marks the other's."""
    size = 8
    while size < 2 * (len(one) + len(other)):
        size *= 2
    table[:size] = 0
    either = both = 0
    for shingle in one:
        own = (shingle | np.uint64(2)) & ~np.uint64(1)
        at = np.int64(shingle >> np.uint64(32)) & (size - 1)
        while table[at] and table[at] != own:
            at = (at + 1) & (size - 1)
        either += table[at] == 0
        table[at] = own
    for shingle in other:
        own = (shingle | np.uint64(2)) & ~np.uint64(1)
        at = np.int64(shingle >> np.uint64(32)) & (size - 1)
        while table[at] and table[at] & ~np.uint64(1) != own:
            at = (at + 1) & (size - 1)
        either += table[at] == 0
        both += table[at] == own
        table[at] = own | np.uint64(1)
    return both / either
