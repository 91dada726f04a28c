"""The rows of a table that one step reads, side by side in the cache: looked up once, updated there, and put back.

A row takes ``room`` places, one or a multiple of four, for columns are summed four at a time; what is beyond its width stays 0.
"""

from __future__ import annotations

import numpy as np

from ..core.kernels import kernel

_EACH = 4  # columns summed at a time, in registers


def room(width: int) -> int:
    """The places that a row takes."""
    return 1 if width == 1 else -(-width // _EACH) * _EACH


@kernel
def number(ids, first, last, slots, rows, places):  # type: ignore[no-untyped-def]
    """Number the different rows among ``ids[first:last]`` as they come: each one's row to ``rows``, of each id its number to
    ``places``; returns how many there are. What ``slots`` [rows of the table] holds from before does not matter.

    Source: Briggs and Torczon 1993, "An efficient representation for sparse sets", LOPLAS 2.
    """
    count, of = np.uint32(0), ids[first:last]
    for place in range(len(of)):
        row = of[place]
        slot = slots[row]
        is_new = (slot >= count) | (rows[slot] != row)
        slot = count if is_new else slot
        slots[row], rows[slot], places[place] = slot, row, slot
        count = np.uint32(count + is_new)
    return count


@kernel
def gather(rows, table, found, room):  # type: ignore[no-untyped-def]
    """``rows`` of the table to ``found``."""
    at = np.uint64(0)
    for slot in range(len(rows)):
        row = table[rows[slot]]
        for column in range(len(row)):
            found[at + np.uint64(column)] = row[column]
        at += np.uint64(room)


@kernel
def scatter(rows, found, room, table):  # type: ignore[no-untyped-def]
    """And back."""
    at = np.uint64(0)
    for slot in range(len(rows)):
        row = table[rows[slot]]
        for column in range(len(row)):
            row[column] = found[at + np.uint64(column)]
        at += np.uint64(room)


@kernel
def sums(places, offsets, values, found, room, said):  # type: ignore[no-untyped-def]
    """What ``sum_rows`` adds up, in the same order."""
    for row in range(len(offsets) - 1):
        first, size, total = offsets[row] - offsets[0], offsets[row + 1] - offsets[row], said[row]
        where, value = places[first : first + size], values[offsets[row] : offsets[row + 1]]
        if room == 1:
            alone = total[0]
            for place in range(len(where)):
                alone += value[place] * found[where[place]]
            total[0] = alone
            continue
        for start in range(0, len(total), _EACH):
            a = b = c = d = np.float32(0)
            for place in range(len(where)):
                own, at = value[place], where[place] * np.uint64(room) + np.uint64(start)
                a += own * found[at]
                b += own * found[at + np.uint64(1)]
                c += own * found[at + np.uint64(2)]
                d += own * found[at + np.uint64(3)]
            total[start] = a
            if start + 1 < len(total):
                total[start + 1] = b
            if start + 2 < len(total):
                total[start + 2] = c
            if start + 3 < len(total):
                total[start + 3] = d


@kernel
def add(places, offsets, values, by_row, room, gradient):  # type: ignore[no-untyped-def]
    """What ``RowGradient.add`` adds up, in the same order, onto -0: to that either 0 is added without a change."""
    for row in range(len(offsets) - 1):
        first, size, own = offsets[row] - offsets[0], offsets[row + 1] - offsets[row], by_row[row]
        where, value = places[first : first + size], values[offsets[row] : offsets[row + 1]]
        if room == 1:
            for place in range(len(where)):
                gradient[where[place]] += value[place] * own[0]
            continue
        for place in range(len(where)):
            at, weight = where[place] * np.uint64(room), value[place]
            for start in range(0, len(own), _EACH):
                to, column = at + np.uint64(start), np.uint64(start)
                a, b = weight * own[column], weight * own[column + np.uint64(1)]
                c, d = weight * own[column + np.uint64(2)], weight * own[column + np.uint64(3)]
                gradient[to] += a
                gradient[to + np.uint64(1)] += b
                gradient[to + np.uint64(2)] += c
                gradient[to + np.uint64(3)] += d
