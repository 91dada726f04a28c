"""Tables looked up by bags of weighted ids: the forward sum, and the gradient as the rows it touches.

With X the batch (N sparse rows of values) and W the table, the forward pass is X W and the gradient of W is XᵀG, with G
the gradient of the result. It is nonzero on the looked-up rows alone, so work and memory traffic are in proportion to
those. The rows are divided among threads by their number, so every sum is made in the same order on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import available, share
from .batch import Batch


def row_sums(batch: Batch, table: NDArray[Any]) -> NDArray[Any]:
    """X W: for each example the sum of its ids' table rows, each times its value. Shape [N, width]."""
    sums = np.zeros((len(batch), table.shape[1]), table.dtype)
    share(_sum, len(batch.ids) * table.shape[1], batch.ids, batch.offsets, batch.values, table, sums)
    return sums


class RowGradient:
    """XᵀG, added up over the batches of one step, and which rows of it are not zero.

    ``total`` [rows, width] is meaningful only on the touched rows. ``touched`` holds, for each of ``parts`` groups of rows
    (row mod parts), the rows of that group in ``touched[group, :counts[group]]``.
    """

    def __init__(self, rows: int, width: int, dtype: Any = np.float32) -> None:
        self.parts = available()
        self.total = np.zeros((rows, width), dtype)
        self.touched = np.empty((self.parts, -(-rows // self.parts)), np.int32)
        self.counts = np.zeros(self.parts, np.int64)
        self._is_touched = np.zeros(rows, np.bool_)

    def add(self, batch: Batch, outer: NDArray[Any]) -> None:
        """Add the batch's share, with ``outer`` [N, width] the gradient of its row sums."""
        arguments = (
            self.parts,
            batch.ids,
            batch.offsets,
            batch.values,
            outer,
            self.total,
            self.touched,
            self.counts,
            self._is_touched,
        )
        share(_add, len(batch.ids) * outer.shape[1], *arguments)

    def touch(self, batch: Batch) -> None:
        """Mark the batch's rows as touched, adding nothing."""
        self.add(batch, np.zeros((len(batch), self.total.shape[1]), self.total.dtype))

    def fill(self, whole: NDArray[Any]) -> None:
        """Take a whole gradient: every row is touched."""
        self.total[:] = whole
        self._is_touched[:] = True
        for group in range(self.parts):
            rows = np.arange(group, len(whole), self.parts)
            self.touched[group, : len(rows)] = rows
            self.counts[group] = len(rows)

    def rows(self) -> NDArray[np.int64]:
        """The touched rows, group by group."""
        return np.concatenate([self.touched[group, :count] for group, count in enumerate(self.counts)]).astype(np.int64)

    def clear(self) -> None:
        """Ready for the next step."""
        for group in range(self.parts):
            self._is_touched[self.touched[group, : self.counts[group]]] = False
        self.counts[:] = 0

    def dense(self) -> NDArray[Any]:
        """The whole gradient, zero where nothing was touched."""
        return np.where(self._is_touched[:, None], self.total, self.total.dtype.type(0))


@njit(cache=True, nogil=True)
def _sum(part, parts, ids, offsets, values, table, sums):  # type: ignore[no-untyped-def]
    rows, width = len(offsets) - 1, table.shape[1]
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        for place in range(offsets[row], offsets[row + 1]):
            value, of = values[place], ids[place]
            for column in range(width):
                sums[row, column] += value * table[of, column]


@njit(cache=True, nogil=True)
def _add(part, parts, groups, ids, offsets, values, outer, total, touched, counts, is_touched):  # type: ignore[no-untyped-def]
    """Groups part, part + parts, … of the rows: no two threads write to the same row."""
    width = total.shape[1]
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            of = ids[place]
            group = of % groups
            if group % parts != part:
                continue
            if not is_touched[of]:
                is_touched[of] = True
                touched[group, counts[group]] = of
                counts[group] += 1
                total[of] = 0
            value = values[place]
            for column in range(width):
                total[of, column] += value * outer[row, column]
