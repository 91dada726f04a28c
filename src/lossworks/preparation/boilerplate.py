"""Lines and openings that recur over texts: menus, licences, signatures, templates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..tokens.characters import LETTER, SINGLE, classes
from ..tokens.hashing import FNV_OFFSET, FNV_PRIME, mix
from .characters import decode, forms
from .texts import Texts

LINE = 20
"""Bytes of the shortest line that counts."""
_WORDS, _CHARACTERS = 5, 10  # of an opening, in scripts with and without spaces


@dataclass(frozen=True, slots=True)
class Recurring:
    """What stands in how many ``texts``; ``row`` is the first of them."""

    text: str
    texts: int
    row: int


def recurring_lines(texts: Texts, least: int, most: int = 10) -> list[Recurring]:
    """The lines, of texts of several, that stand in ``least`` texts or more: the ``most`` most frequent. White space at their
    ends is none of them.
    """
    return _recurring(texts, _spans(texts.bytes, texts.offsets, forms(), classes(), False), least, most)


def recurring_openings(texts: Texts, least: int, most: int = 10) -> list[Recurring]:
    """The same of the first five words, or ten characters in scripts without spaces, of texts that go on after them."""
    return _recurring(texts, _spans(texts.bytes, texts.offsets, forms(), classes(), True), least, most)


def _recurring(texts: Texts, spans: NDArray[np.int64], least: int, most: int) -> list[Recurring]:
    hashes, rows = spans[:, 0], spans[:, 1]
    order = np.lexsort((rows, hashes))
    order = order[np.r_[True, (spans[order[1:], :2] != spans[order[:-1], :2]).any(1)]] if len(order) else order
    _, first, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    enough = np.flatnonzero(counts >= max(least, 2))
    enough = enough[np.lexsort((rows[order[first[enough]]], -counts[enough]))][:most]
    found = []
    for place in enough.tolist():
        _, row, begin, end = spans[order[first[place]]].tolist()
        found.append(Recurring(texts.bytes[begin:end].tobytes().decode("utf-8", "replace"), int(counts[place]), row))
    return found


@njit(cache=True, nogil=True)
def _spans(bytes, offsets, forms, kinds, openings):  # type: ignore[no-untyped-def]
    """Hash, text, first byte and end of every line, or of every opening [M, 4]."""
    count = 0
    for fill in range(2):
        spans = np.empty((count if fill else 0, 4), np.int64)
        count = 0
        for text in range(len(offsets) - 1):
            i, stop = offsets[text], offsets[text + 1]
            begin, solid, words, apart, lines, before = i, i, 0.0, True, 0, count
            whole = solid_hash = FNV_OFFSET
            while i <= stop:
                at, code = i, np.uint32(0x0A)
                if i < stop:
                    code, i = decode(bytes, i, stop)
                else:
                    i += 1
                blank = (forms[code] >> 8) & 3 > 0  # white space, or a line's end
                kind = kinds[code]
                if openings and words >= _WORDS and kind != LETTER:
                    if at < stop:
                        if fill:
                            spans[count] = np.int64(mix(solid_hash)), text, begin, solid
                        count += 1
                    break
                words += _WORDS / _CHARACTERS if kind == SINGLE else kind == LETTER and apart
                apart = kind != LETTER
                if code == 0x0A and not openings:
                    if solid - begin >= LINE:
                        if fill:
                            spans[count] = np.int64(mix(solid_hash)), text, begin, solid
                        count += 1
                    lines += solid > begin
                    begin, whole = i, FNV_OFFSET
                    solid, solid_hash = begin, FNV_OFFSET
                    continue
                whole = (whole ^ np.uint64(code)) * FNV_PRIME
                if blank:
                    if solid == begin:  # white space before a line is none of it
                        begin = solid = i
                        whole = FNV_OFFSET
                else:
                    solid, solid_hash = i, whole
            if not openings and lines < 2:
                count = before
    return spans
