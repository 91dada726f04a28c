"""Code points as arrays: what each one is (letter, ideograph, mark, space), and its lower case, by table look-up."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPACE, LETTER, SINGLE, MARK = range(4)

LIMIT = 0x110000
# Scripts written without spaces: each character stands as a token of its own.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3007), (0x3040, 0x30FF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D), (0x20000, 0x3FFFF),
)  # fmt: skip
_CASED = 0x20000  # no letter from here on has a case
_UNNAMED = 0x40000  # nothing is assigned from here on but tags, selectors and private use


@functools.cache
def classes() -> NDArray[np.uint8]:
    """The class of every code point: SPACE, LETTER (letters, digits and their combining marks), SINGLE, MARK."""
    categories = "".join(map(unicodedata.category, map(chr, range(_UNNAMED)))).encode("ascii")
    letters = np.frombuffer(categories, np.uint8)[::2]  # "Lu", "Nd", … : the first of each two
    table = np.full(LIMIT, MARK, np.uint8)
    for letter, kind in ((b"L", LETTER), (b"M", LETTER), (b"N", LETTER), (b"Z", SPACE), (b"C", SPACE)):
        table[:_UNNAMED][letters == ord(letter)] = kind
    for first, last in _UNSPACED:
        part = table[first : last + 1]
        part[part == LETTER] = SINGLE
    table[ord("_")] = table[ord("'")] = table[0x2019] = LETTER  # don't, l’eau, snake_case stay whole
    return table


@functools.cache
def lower() -> NDArray[np.uint32]:
    """The lower case of every code point, where that is a single code point."""
    table = np.arange(LIMIT, dtype=np.uint32)
    cased = "".join(map(chr, range(_CASED))).replace("\u0130", " ")  # İ alone has a lower case of two code points
    table[:_CASED] = np.frombuffer(cased.lower().encode("utf-32-le", "surrogatepass"), np.uint32)
    table[0x130] = 0x130
    return table


def points(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[Any]]:
    """All code points of ``texts`` end to end, and the N + 1 offsets at which each text starts."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.fromiter(map(len, texts), np.int64, len(texts)).cumsum(out=offsets[1:])
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, np.uint32), offsets


def text_of(codes: NDArray[np.uint32]) -> str:
    """The text of these code points."""
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def bytes_of(text: str) -> NDArray[np.int64]:
    """For each byte of a text in UTF-8 the number of the character that it is of."""
    codes = points([text])[0]
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800).astype(np.int64) + (codes >= 0x10000)
    return np.repeat(np.arange(len(codes)), sizes)
