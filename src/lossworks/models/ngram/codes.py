"""Rows of small numbers, most of them often the same, as codes: each row's number in a table of the rows that there are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


def coded(rows: NDArray[np.uint32]) -> tuple[NDArray[Any], NDArray[np.uint32]]:
    """The code of each row of [n, width], in the narrowest unsigned type, and the table [codes, width], in order of
    appearance.
    """
    codes, table = _coded(rows)
    return codes.astype(narrowest(len(table))), table


def narrowest(count: int) -> Any:
    """The narrowest unsigned type that tells ``count`` things apart."""
    return np.min_scalar_type(max(count - 1, 0))


@njit(cache=True, nogil=True)
def _coded(rows):  # type: ignore[no-untyped-def]
    """By open addressing; a slot holds a code and 1, or 0 where it is free. The slots are doubled when half are taken."""
    codes = np.empty(len(rows), np.uint32)
    table, slots = np.empty((2048, rows.shape[1]), np.uint32), np.zeros(4096, np.uint32)
    row, known = _take(rows, 0, codes, slots, table, 0)
    while row < len(rows):
        larger, slots = np.empty((2 * len(table), rows.shape[1]), np.uint32), np.zeros(2 * len(slots), np.uint32)
        _take(table, 0, np.empty(len(table), np.uint32), slots, larger, 0)
        table = larger
        row, known = _take(rows, row, codes, slots, table, known)
    return codes, table[:known].copy()


@njit(cache=True, nogil=True)
def _take(rows, row, codes, slots, table, known):  # type: ignore[no-untyped-def]
    """Codes from ``row`` on; where the table is full, the row that it has no place for, and how many it has.

    Calls nothing: the references to the arrays would be counted for each row, which takes longer than all the rest.
    """
    count, width = rows.shape
    while row < count:
        h = np.uint64(0xCBF29CE484222325)
        for column in range(width):
            h = (h ^ np.uint64(rows[row, column])) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
        slot = np.int64(h & np.uint64(len(slots) - 1))
        while slots[slot]:  # to the slot that holds the row, or the free one where it belongs
            code, column = np.int64(slots[slot]) - 1, 0
            while column < width and table[code, column] == rows[row, column]:
                column += 1
            if column == width:
                break
            slot = (slot + 1) & (len(slots) - 1)
        if slots[slot] == 0:
            if known == len(table):
                break
            for column in range(width):
                table[known, column] = rows[row, column]
            known += 1
            slots[slot] = known
        codes[row] = slots[slot] - np.uint32(1)
        row += 1
    return row, known
