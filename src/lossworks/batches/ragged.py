"""Rows of unequal length, end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share


@dataclass(slots=True)
class Ragged:
    """N rows of ids: row i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.uint32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: NDArray[np.int64]) -> Ragged:
        """The rows ``rows``, in that order."""
        return Ragged.join([(self, rows)])

    @staticmethod
    def join(parts: Sequence[tuple[Ragged, NDArray[np.int64]]]) -> Ragged:
        """The given rows of each part, end to end, copied once."""
        lengths = [part.offsets[rows + 1] - part.offsets[rows] for part, rows in parts]
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
        ids, first = np.empty(offsets[-1], np.uint32), 0
        for part, rows in parts:
            last = first + len(rows)
            share(_copy, int(offsets[last] - offsets[first]), part.ids, part.offsets, rows, offsets[first : last + 1], ids)
            first = last
        return Ragged(ids, offsets)


@njit(cache=True, nogil=True)
def _copy(part, parts, ids, offsets, rows, to_offsets, to_ids):  # type: ignore[no-untyped-def]
    for row in range(len(rows) * part // parts, len(rows) * (part + 1) // parts):
        first, size = offsets[rows[row]], to_offsets[row + 1] - to_offsets[row]
        source, target = ids[first : first + size], to_ids[to_offsets[row] : to_offsets[row + 1]]
        for place in range(len(target)):
            target[place] = source[place]
