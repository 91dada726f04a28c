"""Texts by the million: in memory up to a budget, the rest in a temporary file."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ..record.scratch import no_room

BLOCK = 1 << 22
"""Bytes of strings in a block: enough for whoever reads them to work on at once."""


class Spilled:
    """A block in the file: texts parted by NUL bytes, which no text holds."""

    __slots__ = ("_ends", "_file", "_start")

    def __init__(self, file: BinaryIO, texts: list[str]) -> None:
        data = ("\0".join(texts) + "\0").encode()
        self._file = file
        self._start = file.seek(0, os.SEEK_END)
        self._ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 0)
        if len(data) < 1 << 32:
            self._ends = self._ends.astype(np.uint32)
        file.write(data)
        file.flush()

    def all(self) -> list[str]:
        """Every text of the block."""
        return self._read(0, int(self._ends[-1])).split("\0")

    def __getitem__(self, index: int) -> str:
        return self._read(int(self._ends[index - 1]) + 1 if index else 0, int(self._ends[index]))

    def _read(self, start: int, end: int) -> str:
        return os.pread(self._file.fileno(), end - start, self._start + start).decode()


class TextStore:
    """Blocks of texts in row order. ``budget`` is in bytes of Python strings."""

    def __init__(self, budget: int, spill: Path | None) -> None:
        self._budget = self._left = budget
        self._folder = spill
        self._file: BinaryIO | None = None
        self._blocks: list[list[str] | Spilled] = []
        self._starts = [0]
        self._open: list[str] = []
        self._size = 0

    def add(self, texts: list[str]) -> None:
        """Append texts; they stand in a block once that is full."""
        self._open += texts
        self._size += sum(map(str.__sizeof__, texts)) + 8 * len(texts)
        if self._size >= BLOCK:
            self.finish()

    def blocks(self) -> Iterator[list[str]]:
        """All texts, a block at a time; the lists are the store's own, to be read only."""
        for block in self._blocks:
            yield block.all() if isinstance(block, Spilled) else block

    @property
    def held(self) -> int:
        """Bytes of the texts that are in memory."""
        return self._budget - self._left + self._size

    def texts(self, rows: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """The texts of ``rows``, in their order."""
        rows = np.asarray(rows, np.int64)
        blocks = np.searchsorted(self._starts, rows, side="right") - 1
        within = rows - np.asarray(self._starts)[blocks]
        return [self._blocks[block][i] for block, i in zip(blocks.tolist(), within.tolist(), strict=True)]

    def close(self) -> None:
        """Let go of the texts and of the file, which is gone from the disk with it."""
        self._blocks.clear()
        if self._file is not None:
            self._file.close()

    def finish(self) -> None:
        """Make a block of the texts at hand, in memory while the budget lasts."""
        texts, size = self._open, self._size
        if texts:
            self._blocks.append(texts if size <= self._left else self._spilled(texts))
            self._left -= min(size, self._left)  # once a block went to the file, all after it do
            self._starts.append(self._starts[-1] + len(texts))
            self._open, self._size = [], 0

    def _spilled(self, texts: list[str]) -> Spilled:
        try:
            if self._file is None:
                file = tempfile.TemporaryFile(dir=self._folder, prefix="lossworks-")  # noqa: SIM115  # lives with the store
                self._file = cast(BinaryIO, file)
                weakref.finalize(self, self._file.close)
            return Spilled(self._file, texts)
        except OSError as error:
            raise no_room(self._folder, error) from error
