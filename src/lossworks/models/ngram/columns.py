"""Long columns of numbers that come in pieces, held in memory or in files of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Piece = Callable[[], NDArray[Any]]


@dataclass(slots=True)
class Column:
    """``size`` numbers of one type: pieces one after another; those that are codes each with what they stand for in the whole.

    It can be gone through once: a piece is let go when it has been read.
    """

    size: int
    dtype: Any
    pieces: list[Piece]
    meanings: Sequence[NDArray[Any] | None]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        self.pieces.reverse()
        for meaning in self.meanings:
            piece = self.pieces.pop()()
            yield (piece if meaning is None else meaning[piece]).astype(self.dtype, copy=False)

    def whole(self, folder: Path | None, name: str) -> NDArray[Any]:
        """All of it as one array, in memory or mapped from a file in ``folder``."""
        return gathered(iter(self), self.size, self.dtype, folder, name)


def gathered(pieces: Iterator[NDArray[Any]], size: int, dtype: Any, folder: Path | None, name: str) -> NDArray[Any]:
    """Pieces as one array of ``size`` numbers, in memory or mapped from a file in ``folder``."""
    if folder is None or size == 0:
        whole, at = np.empty(size, dtype), 0
        for piece in pieces:
            whole[at : at + len(piece)] = piece
            at += len(piece)
        return whole
    with (folder / name).open("wb") as file:
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).data)  # tofile does not say why it failed
    return np.memmap(folder / name, dtype, "r", shape=(size,))


def keep(array: NDArray[Any], folder: Path | None, name: str) -> Piece:
    """A piece, put into a file of ``folder`` if there is one."""
    if folder is None:
        return lambda: array
    path = folder / name
    with path.open("wb") as file:
        file.write(np.ascontiguousarray(array).data)
    dtype = array.dtype
    return lambda: np.fromfile(path, dtype)
