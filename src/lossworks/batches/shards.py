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

_PIECES = 64


class Shards:
    """Ragged rows with their row numbers. What is beyond ``budget`` bytes of ids moves to files ``folder/name-*.bin``."""

    def __init__(self, folder: Path, seed: str, budget: int, name: str) -> None:
        self.pieces = 1
        self._budget = budget
        self._draw = generator(0, "shards", seed)
        self._paths = [folder / f"{name}-{piece}.bin" for piece in range(_PIECES)]
        self._rows: list[list[NDArray[np.int64]]] = [[]]
        self._lengths: list[list[NDArray[np.int64]]] = [[] for _ in range(_PIECES)]
        self._held: list[tuple[Ragged, NDArray[np.int64]]] = []
        self._size = 0

    def append(self, rows: NDArray[np.int64], ragged: Ragged, chosen: NDArray[np.int64]) -> None:
        """Add the ``chosen`` rows of ``ragged``, whose numbers are ``rows``. Held without a copy where they are most of it."""
        if self.pieces > 1:
            self._write(rows, ragged, chosen)
            return
        if 2 * len(chosen) < len(ragged):  # a few rows must not keep the rest in memory
            ragged, chosen = ragged.take(chosen), np.arange(len(chosen))
        self._rows[0].append(rows)
        self._held.append((ragged, chosen))
        self._size += int((ragged.offsets[chosen + 1] - ragged.offsets[chosen]).sum()) * ragged.ids.itemsize
        if self._size > self._budget:
            held, numbers = self._held, self._rows[0]
            self.pieces, self._held, self._rows = _PIECES, [], [[] for _ in range(_PIECES)]
            for path in self._paths:
                path.unlink(missing_ok=True)  # what a killed run left would come before ours
            for before, (part, which) in zip(numbers, held, strict=True):
                self._write(before, part, which)

    def count(self, piece: int) -> int:
        """How many rows the piece has."""
        return sum(map(len, self._rows[piece]))

    def rows(self, piece: int) -> NDArray[np.int64]:
        """The row numbers of a piece."""
        if len(self._rows[piece]) != 1:
            self._rows[piece] = [np.concatenate([np.empty(0, np.int64), *self._rows[piece]])]
        return self._rows[piece][0]

    def load(self, piece: int) -> Ragged:
        """The rows of a piece."""
        if self.pieces == 1:
            return Ragged.join(self._held)
        lengths = np.concatenate([np.zeros(1, np.int64), *self._lengths[piece]])
        return Ragged(np.fromfile(self._paths[piece], np.uint32), np.cumsum(lengths))

    def release(self) -> None:
        """Let go of what is held in memory."""
        self._held.clear()

    def close(self) -> None:
        """Remove what was put on disk, too."""
        self.release()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _write(self, rows: NDArray[np.int64], ragged: Ragged, which: NDArray[np.int64]) -> None:
        piece_of = self._draw.integers(0, _PIECES, len(rows))
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
