"""Rows of unequal length, end to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import share


@dataclass(slots=True)
class Ragged:
    """N rows of ids: row i is ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[Any]  # unsigned
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def bounds(self, ends: bool) -> NDArray[np.int64]:
        """Where each row begins and the last one ends, numbered through; ``ends``: each has one place more, for its end."""
        return self.offsets + ends * np.arange(len(self.offsets))

    def take(self, rows: NDArray[np.int64], room: NDArray[np.uint32] | None = None) -> Ragged:
        """A copy of the rows ``rows``, in that order; at the beginning of ``room`` where it is given."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.offsets[rows + 1] - self.offsets[rows], out=offsets[1:])
        ids = np.empty(offsets[-1], np.uint32) if room is None else room[: offsets[-1]]
        share(_copy, len(ids), self.ids, self.offsets, rows, offsets, ids)
        return Ragged(ids, offsets)


@kernel
def _copy(part, parts, ids, offsets, rows, to_offsets, to_ids):  # type: ignore[no-untyped-def]
    for row in range(len(rows) * part // parts, len(rows) * (part + 1) // parts):
        first, size = offsets[rows[row]], to_offsets[row + 1] - to_offsets[row]
        source, target = ids[first : first + size], to_ids[to_offsets[row] : to_offsets[row + 1]]
        for place in range(len(target)):
            target[place] = source[place]
