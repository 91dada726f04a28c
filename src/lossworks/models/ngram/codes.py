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
    """By open addressing; the slots are doubled when half are taken."""
    count, width = rows.shape
    codes = np.empty(count, np.uint32)
    table = np.empty((1024, width), np.uint32)
    slots = np.full(4096, -1, np.int64)
    known = 0
    for row in range(count):
        slot = _find(slots, table, rows[row])
        if slots[slot] < 0:
            if known == len(table):
                table = np.concatenate((table, np.empty_like(table)))
            table[known] = rows[row]
            slots[slot] = known
            known += 1
            codes[row] = known - 1
            if 2 * known > len(slots):
                slots = np.full(2 * len(slots), -1, np.int64)
                for code in range(known):
                    slots[_find(slots, table, table[code])] = code
        else:
            codes[row] = slots[slot]
    return codes, table[:known].copy()


@njit(cache=True, nogil=True)
def _find(slots, table, row):  # type: ignore[no-untyped-def]
    """The slot that holds the row, or the free one where it belongs."""
    h = np.uint64(0xCBF29CE484222325)
    for column in range(len(row)):
        h = (h ^ np.uint64(row[column])) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(29)
    slot = np.int64(h & np.uint64(len(slots) - 1))
    while slots[slot] >= 0:
        same = True
        for column in range(len(row)):
            same = same and table[slots[slot], column] == row[column]
        if same:
            break
        slot = (slot + 1) & (len(slots) - 1)
    return slot
