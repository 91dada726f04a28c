"""Tables looked up by bags of weighted ids: the forward sum, and the gradient as the rows it touches.

With X the batch (N sparse rows of values) and W the table, the forward pass is X W and the gradient of W is XᵀG, with G
the gradient of the result. It is nonzero on the looked-up rows alone, so work and memory traffic are in proportion to
those. The rows are divided among threads by their number, so every sum is made in the same order on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import share
from .batch import Bags, Batch

_GROUPS = 16  # of a table's rows, by the low bits of their number; a group is one thread's at a time
_WORTH_SHARING = 8  # elements in a row; with fewer, each thread would spend its time passing over what is not its own
GROUP_MASK = np.uint32(_GROUPS - 1)


def row_sums(batch: Bags, table: NDArray[Any]) -> NDArray[Any]:
    """X W: for each example the sum of its ids' table rows, each times its value. [N, width], in the wider of their types."""
    sums = np.zeros((len(batch), table.shape[1]), np.result_type(batch.values, table))
    share(sum_rows, len(batch.ids) * table.shape[1], batch.ids, batch.offsets, batch.values, table, sums)
    return sums


class RowGradient:
    """XᵀG, added up over the batches of one step, and which rows of it are not zero.

    ``total`` [rows, width] is meaningful on the touched rows alone: those are ``touched[group, :counts[group]]``, for each of
    the groups that the rows are divided into by their number.
    """

    def __init__(self, rows: int, width: int, dtype: Any = np.float32) -> None:
        self.total = np.zeros((rows, width), dtype)
        self.touched = np.empty((_GROUPS, -(-rows // _GROUPS)), np.uint32)
        self.counts = np.zeros(_GROUPS, np.int64)
        self._is_touched = np.zeros(rows, np.bool_)
        self._is_finite = np.ones(1, np.bool_)
        self._every: tuple[NDArray[np.uint32], NDArray[np.int64]] | None = None

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """As compiled code takes them: total, touched, counts, whether a row is touched, and whether all is finite."""
        return self.total, self.touched, self.counts, self._is_touched, self._is_finite

    @property
    def is_finite(self) -> bool:
        """Whether every element is; noticed as they are added up, for a sum that is not finite never becomes so again."""
        return bool(self._is_finite[0])

    def add(self, batch: Bags, grad_output: NDArray[Any]) -> None:
        """Add the batch's share, with ``grad_output`` [N, width] the gradient of its row sums."""
        width = grad_output.shape[1]
        work = len(batch.ids) * width if width >= _WORTH_SHARING else 0
        share(add, work, batch.ids, batch.offsets, batch.values, grad_output, *self.arrays)

    def touch(self, batch: Batch) -> None:
        """Mark the batch's rows as touched, adding nothing."""
        self.add(batch, np.zeros((len(batch), self.total.shape[1]), self.total.dtype))

    def fill(self, whole: NDArray[Any]) -> None:
        """Take a whole gradient: every row is touched."""
        self.total[:] = whole
        _check(self.total.ravel(), self._is_finite)
        if self._every is None:
            groups = [np.arange(group, len(whole), _GROUPS) for group in range(_GROUPS)]
            self._every = np.zeros_like(self.touched), np.array([len(rows) for rows in groups])
            for group, rows in enumerate(groups):
                self._every[0][group, : len(rows)] = rows
        self._is_touched[:] = True
        self.touched[:], self.counts[:] = self._every

    def fill_rows(self, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Take a gradient that is zero but for ``rows``, each named once."""
        self.total[rows] = values
        _check(values.ravel(), self._is_finite)
        self._is_touched[rows] = True
        for group in range(_GROUPS):
            mine = rows[rows % _GROUPS == group]
            self.touched[group, : len(mine)] = mine
            self.counts[group] = len(mine)

    def rows(self) -> NDArray[np.int64]:
        """The touched rows, group by group."""
        return np.concatenate([self.touched[group, :count] for group, count in enumerate(self.counts)]).astype(np.int64)

    def clear(self) -> None:
        """Ready for the next step."""
        share(clear, int(self.counts.sum()), self.touched, self.counts, self._is_touched)
        self._is_finite[0] = True

    def dense(self) -> NDArray[Any]:
        """The whole gradient, zero where nothing was touched."""
        return np.where(self._is_touched[:, None], self.total, self.total.dtype.type(0))


@kernel
def sum_rows(part, parts, ids, offsets, values, table, sums):  # type: ignore[no-untyped-def]
    """What ``row_sums`` does."""
    rows, width = len(offsets) - 1, table.shape[1]
    for row in range(rows * part // parts, rows * (part + 1) // parts):
        of, value, total = ids[offsets[row] : offsets[row + 1]], values[offsets[row] : offsets[row + 1]], sums[row]
        if width == 1:  # in a register: twice as fast, and the usual case of two classes
            alone = total[0]
            for place in range(len(of)):
                alone += value[place] * table[of[place], 0]
            total[0] = alone
            continue
        for place in range(len(of)):
            for column in range(width):
                total[column] += value[place] * table[of[place], column]


@kernel
def add(part, parts, ids, offsets, values, grad_output, total, touched, counts, is_touched, is_finite):  # type: ignore[no-untyped-def]
    """What ``RowGradient.add`` does."""
    mine, width, finite = 0, total.shape[1], True
    for group in range(part, _GROUPS, parts):  # bits of the groups that are this part's: no two parts write to the same row
        mine |= 1 << group
    for row in range(len(offsets) - 1):
        of, value, grad = ids[offsets[row] : offsets[row + 1]], values[offsets[row] : offsets[row + 1]], grad_output[row]
        for place in range(len(of)):
            at = of[place]
            if parts > 1 and not (mine >> (at & GROUP_MASK)) & 1:
                continue
            if not is_touched[at]:
                is_touched[at] = True
                group = at & GROUP_MASK
                touched[group, counts[group]] = at
                counts[group] += 1
                for column in range(width):
                    total[at, column] = value[place] * grad[column]
            elif width == 1:
                total[at, 0] += value[place] * grad[0]
            else:
                for column in range(width):
                    total[at, column] += value[place] * grad[column]
            for column in range(width):
                finite &= abs(total[at, column]) < np.inf
    if not finite:
        is_finite[0] = False


@kernel
def _check(elements, is_finite):  # type: ignore[no-untyped-def]
    finite = True
    for element in elements:
        finite &= abs(element) < np.inf
    is_finite[0] = finite


@kernel
def clear(part, parts, touched, counts, is_touched):  # type: ignore[no-untyped-def]
    """What ``RowGradient.clear`` does."""
    for group in range(part, _GROUPS, parts):
        for place in range(counts[group]):
            is_touched[touched[group, place]] = False
        counts[group] = 0
