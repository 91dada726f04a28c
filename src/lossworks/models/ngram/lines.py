"""Lines of ARPA files, by compiled code: bytes to n-grams and back, tens of millions of them in a minute.

A line is a log10 probability, the words and, below the highest order, a log10 backoff, with spaces or tabs between them, and no
other white space: a no-break space, say, is part of a word. The log of 0 is -inf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from ...tokens.hashing import FNV_OFFSET, FNV_PRIME

_TENS = 10.0 ** np.arange(23)  # those that float64 holds exactly
_NEWLINE, _BACKSLASH, _MINUS, _POINT, _ZERO = 10, 92, 45, 46, 48
_DECIMALS = 7  # what float32 tells apart
LONGEST_NUMBER = 4 + 1 + _DECIMALS

LARGEST = 308.0
"""The log10 backoff whose power of ten float64 holds."""
DONE, NUMBER, POSITIVE, WORD, SHORT, REST, INFINITE = range(7)
"""How reading a line ended: well, or at what is wrong: no number, a log-probability above 0, a word that is not in the
vocabulary, too few words, something after the last field, or a backoff beyond all numbers."""


class Lexicon:
    """Words as bytes, end to end, and a hash table to find their numbers in."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.pool = np.frombuffer(b"".join(words) or b"\0", np.uint8)
        self.offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, words), np.int64, len(words)), out=self.offsets[1:])
        self.table = np.full(1 << max(4, (2 * len(words)).bit_length()), -1, np.int64)
        _enter(self.pool, self.offsets, self.table)


@njit(inline="always")
def _is_blank(byte: Any) -> Any:
    """A space, a tab, or the return before the end of a line, which itself is none."""
    return byte == 32 or byte == 9 or byte == 13


@njit(cache=True, nogil=True)
def _slot(raw, start, end, pool, offsets, table):  # type: ignore[no-untyped-def]
    """Where in the table the word ``raw[start:end]`` is, or would be."""
    hashed = FNV_OFFSET
    for i in range(start, end):
        hashed = (hashed ^ np.uint64(raw[i])) * FNV_PRIME
    slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(len(table) - 1))
    while table[slot] >= 0:
        first = offsets[table[slot]]
        if offsets[table[slot] + 1] - first == end - start:
            same = True
            for i in range(end - start):
                if pool[first + i] != raw[start + i]:
                    same = False
                    break
            if same:
                break
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True, nogil=True)
def _enter(pool, offsets, table):  # type: ignore[no-untyped-def]
    for word in range(len(offsets) - 1):
        table[_slot(pool, offsets[word], offsets[word + 1], pool, offsets, table)] = word


@njit(cache=True, nogil=True)
def _number(raw, at):  # type: ignore[no-untyped-def]
    """The number at ``at``, and where it ends: ``at`` itself where there is none."""
    start, sign, mantissa, scale, digits = at, 1.0, 0.0, 0, 0
    if at < len(raw) and (raw[at] == _MINUS or raw[at] == 43):
        sign = -1.0 if raw[at] == _MINUS else 1.0
        at += 1
    if at + 2 < len(raw) and raw[at] | 32 == 105 and raw[at + 1] | 32 == 110 and raw[at + 2] | 32 == 102:  # inf, in any case
        return sign * np.inf, at + 3
    point = False
    while at < len(raw) and (48 <= raw[at] <= 57 or (raw[at] == _POINT and not point)):
        if raw[at] == _POINT:
            point = True
        else:
            digits += 1
            if mantissa < 9e14:  # further digits are below what float64 tells apart
                mantissa = mantissa * 10.0 + (raw[at] - _ZERO)
                scale -= point
            else:
                scale += not point
        at += 1
    if digits == 0:
        return 0.0, start
    if at < len(raw) and (raw[at] == 101 or raw[at] == 69):  # e, E
        at += 1
        negative = at < len(raw) and raw[at] == _MINUS
        if at < len(raw) and (raw[at] == _MINUS or raw[at] == 43):
            at += 1
        first, power = at, 0
        while at < len(raw) and 48 <= raw[at] <= 57:
            power = min(power * 10 + (raw[at] - _ZERO), 9999)
            at += 1
        if at == first:
            return 0.0, start
        scale += -power if negative else power
    if 0 <= scale <= 22:
        return sign * mantissa * _TENS[scale], at
    if -22 <= scale < 0:
        return sign * mantissa / _TENS[-scale], at
    return sign * mantissa * 10.0**scale, at


@njit(cache=True, nogil=True)
def read_lines(raw, at, highest, pool, offsets, table, ids, prob, backoff):  # type: ignore[no-untyped-def]
    """N-grams from the lines at ``at`` on, into rows of ``ids`` [n, k], ``prob`` and ``backoff``.

    Until these are full, or a line is empty or begins with a backslash.

    Returns how it ended, rows filled, and where: at the next line, or in the line that is wrong.
    """
    k = ids.shape[1]
    for row in range(len(ids)):
        if at >= len(raw) or raw[at] == _BACKSLASH or raw[at] == _NEWLINE or raw[at] == 13:
            return DONE, row, at
        line = at
        prob[row], at = _number(raw, at)
        if at == line or at >= len(raw) or not _is_blank(raw[at]):
            return NUMBER, row, line
        if prob[row] > 0:
            return POSITIVE, row, line
        for j in range(k):
            while at < len(raw) and _is_blank(raw[at]):
                at += 1
            first = at
            while at < len(raw) and raw[at] != _NEWLINE and not _is_blank(raw[at]):
                at += 1
            if at == first:
                return SHORT, row, line
            word = table[_slot(raw, first, at, pool, offsets, table)]
            if word < 0:
                return WORD, row, first
            ids[row, j] = word
        while at < len(raw) and _is_blank(raw[at]):
            at += 1
        backoff[row] = 0.0
        if at < len(raw) and raw[at] != _NEWLINE:
            first = at
            backoff[row], at = _number(raw, at)
            if at == first:
                return REST, row, line
        while at < len(raw) and _is_blank(raw[at]):
            at += 1
        if (at < len(raw) and raw[at] != _NEWLINE) or (highest and backoff[row] != 0):
            return REST, row, line
        if backoff[row] > LARGEST:
            return INFINITE, row, line
        at += 1
    return DONE, len(ids), at


@njit(cache=True, nogil=True)
def write_lines(prob, ids, backoff, pool, offsets, out):  # type: ignore[no-untyped-def]
    """The lines of n-grams into ``out``, without backoffs where these are None; returns how many bytes they have."""
    at = 0
    for row in range(len(ids)):
        at = _write_number(prob[row], out, at)
        out[at] = 9
        at += 1
        for j in range(ids.shape[1]):
            if j:
                out[at] = 32
                at += 1
            for i in range(offsets[ids[row, j]], offsets[ids[row, j] + 1]):
                out[at] = pool[i]
                at += 1
        if backoff is not None:
            out[at] = 9
            at = _write_number(backoff[row], out, at + 1)
        out[at] = _NEWLINE
        at += 1
    return at


@njit(cache=True, nogil=True)
def _write_number(value, out, at):  # type: ignore[no-untyped-def]
    """A number between -999 and 999, without needless zeros at its end."""
    scaled = np.int64(np.rint(abs(value) * 10.0**_DECIMALS))
    if value < 0 and scaled:
        out[at] = _MINUS
        at += 1
    whole, part = scaled // 10**_DECIMALS, scaled % 10**_DECIMALS
    unit = 100 if whole >= 100 else 10 if whole >= 10 else 1
    while unit:
        out[at] = _ZERO + whole // unit % 10
        at += 1
        unit //= 10
    if part:
        out[at] = _POINT
        at += 1
        unit = 10 ** (_DECIMALS - 1)
        while part:
            out[at] = _ZERO + part // unit
            at += 1
            part %= unit
            unit //= 10
    return at
