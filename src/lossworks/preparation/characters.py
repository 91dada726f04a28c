"""What preparation needs to know of characters: decoding in compiled code, Unicode's composed form, what counts as a letter."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..tokens.characters import LETTER, LIMIT, SINGLE, classes, lower

WHITE, BREAK, CONTROL, NOT_COMPOSED, SECOND, FIRST = (1 << bit for bit in range(6))
_ASSIGNED = 0x30000  # the last canonical decompositions stand before
_HANGUL = 0xAC00
_DENSE = {  # letters that say more than one of an alphabet does: in these, how many there are to a word
    4: ((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
    3: ((0x1200, 0x139F), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0xA000, 0xA4CF), (_HANGUL, 0xD7A3), (0xFF66, 0xFF9D)),
}
UNIT = 2
"""The weight of an alphabet's letter; that of a syllable is 3, of an ideograph 4."""


@njit(cache=True, nogil=True)
def decode(bytes, i, stop):  # type: ignore[no-untyped-def]
    """The code point at byte ``i`` and where the next begins; U+FFFD for a byte that belongs to none."""
    first = np.uint32(bytes[i])
    if first < 0x80:
        return first, i + 1
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if first < 0xC2 or first > 0xF4 or i + size > stop:
        return np.uint32(0xFFFD), i + 1
    code = first & np.uint32(0x7F >> size)
    for k in range(i + 1, i + size):
        code = (code << np.uint32(6)) | np.uint32(bytes[k] & 0x3F)
    return min(code, np.uint32(0x10FFFF)), i + size


@functools.cache
def forms() -> NDArray[np.uint16]:
    """Of every code point its canonical combining class, and above these 8 bits the flags that say what it is to normalisation:
    white space, a line break, a control character, one that NFC has not, the second or the first of a pair that NFC composes.
    """
    table = np.zeros(LIMIT, np.uint16)
    for code in range(0x80, _ASSIGNED):
        char = chr(code)
        table[code] |= unicodedata.combining(char)
        parts = unicodedata.decomposition(char)
        if not parts or parts[0] == "<":
            continue
        table[code] |= FIRST << 8  # what it is composed of may be composed in another order
        if not unicodedata.is_normalized("NFC", char):
            table[code] |= NOT_COMPOSED << 8
        elif len(pair := parts.split()) == 2:
            table[int(pair[0], 16)] |= FIRST << 8
            table[int(pair[1], 16)] |= SECOND << 8
    table[0x1100:0x1113] |= FIRST << 8
    table[_HANGUL:0xD7A4:28] |= FIRST << 8
    table[0x1161:0x1176] |= SECOND << 8
    table[0x11A8:0x11C3] |= SECOND << 8
    table[[code for code in range(0x10000) if chr(code).isspace()]] |= WHITE << 8
    table[[*range(0x20), *range(0x7F, 0xA0), 0xFEFF]] = CONTROL << 8
    table[9] = WHITE << 8
    table[[0x0A, 0x0D, 0x85, 0x2028, 0x2029]] = BREAK << 8
    return table


@functools.cache
def letters() -> NDArray[np.uint32]:
    """Of every code point its lower case, and above these 21 bits its weight in a shingle: nothing if no letter or digit."""
    kinds = classes()
    weights = np.where((kinds == LETTER) | (kinds == SINGLE), UNIT, 0).astype(np.uint32)
    for weight, ranges in _DENSE.items():
        for first, last in ranges:
            own = weights[first : last + 1]
            own[own > 0] = weight
    return lower() | weights << np.uint32(21)
