"""Hashed texts kept for the epochs to come: in memory, or on disk in pieces when there is too much.

On disk every text goes to a piece drawn by the seed, so that each piece is a fair sample, and shuffling the pieces and the
texts within each shuffles all. Pieces are read whole, never mapped, so memory stays at a piece.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from ..record.files import unwritable
from .ragged import Ragged

BUDGET = 256 << 20
"""Bytes of hashed text of each part held in memory; what is beyond waits on disk."""
PIECES = 64
"""What is on disk is in so many."""


class Shards:
    """Ragged rows with their row numbers. What is beyond ``budget`` bytes of ids moves to files ``folder/name-*.bin``."""

    def __init__(self, folder: Path, seed: str, budget: int, name: str) -> None:
        self.pieces = 1
        self._draw = generator(0, "shards", seed)
        self._paths = [folder / f"{name}-{piece}.bin" for piece in range(PIECES)]
        self._rows: list[list[NDArray[np.int64]]] = [[]]
        self._lengths: list[list[NDArray[np.int64]]] = [[]]
        self._ids = np.empty(budget // 4, np.uint32)  # the system gives memory as it is written to, so this costs nothing yet
        self._used = 0

    def append(self, rows: NDArray[np.int64], ragged: Ragged, chosen: NDArray[np.int64]) -> None:
        """Add a copy of the ``chosen`` rows of ``ragged``, whose numbers are ``rows``."""
        lengths = ragged.offsets[chosen + 1] - ragged.offsets[chosen]
        if self.pieces == 1 and self._used + int(lengths.sum()) > len(self._ids):
            self._to_disk()
        if self.pieces > 1:
            self._write(rows, ragged, chosen)
            return
        self._used += len(ragged.take(chosen, self._ids[self._used :]).ids)
        self._rows[0].append(rows)
        self._lengths[0].append(lengths)

    def count(self, piece: int) -> int:
        """How many rows the piece has."""
        return sum(map(len, self._rows[piece]))

    def rows(self, piece: int) -> NDArray[np.int64]:
        """The row numbers of a piece."""
        if len(self._rows[piece]) != 1:
            self._rows[piece] = [np.concatenate([np.empty(0, np.int64), *self._rows[piece]])]
        return self._rows[piece][0]

    def load(self, piece: int) -> Ragged:
        """The rows of a piece; without a copy where they are in memory."""
        offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *self._lengths[piece]]))
        return Ragged(self._ids[: self._used] if self.pieces == 1 else np.fromfile(self._paths[piece], np.uint32), offsets)

    def close(self) -> None:
        """Let go of what is held in memory and remove what was put on disk; then there are no rows."""
        self._ids, self._rows, self._lengths = np.empty(0, np.uint32), [[] for _ in self._rows], [[] for _ in self._rows]
        for path in self._paths if self.pieces > 1 else ():
            path.unlink(missing_ok=True)

    def _to_disk(self) -> None:
        """Move what is held to the files."""
        held, rows = self.load(0), self.rows(0)
        self.pieces, self._ids = PIECES, np.empty(0, np.uint32)
        self._rows, self._lengths = [[] for _ in self._paths], [[] for _ in self._paths]
        for path in self._paths:
            path.unlink(missing_ok=True)  # what a killed run left would come before ours
        self._write(rows, held, np.arange(len(held)))

    def _write(self, rows: NDArray[np.int64], ragged: Ragged, which: NDArray[np.int64]) -> None:
        piece_of = self._draw.integers(0, PIECES, len(rows))
        for piece, path in enumerate(self._paths):
            chosen = np.flatnonzero(piece_of == piece)
            part = ragged.take(which[chosen])
            self._rows[piece].append(rows[chosen])
            self._lengths[piece].append(np.diff(part.offsets))
            try:
                with path.open("ab") as file:
                    file.write(part.ids.tobytes())
            except OSError as error:
                raise unwritable(path, error) from error
