"""Token numbers by the hundred million: written to a file as they come, mapped when they are all there."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from .ragged import Ragged


class TokenFile:
    """A file in ``folder`` that token numbers of type ``dtype`` are appended to. ``whole``: all that is appended is one text."""

    def __init__(self, folder: Path, name: str, dtype: type[np.unsignedinteger[Any]], whole: bool) -> None:
        self._path = folder / f"{name}.tokens"
        self._dtype, self._whole = dtype, whole
        self._ends: list[NDArray[np.int64]] = []
        self._written = 0
        self._file: BinaryIO = self._attempt(lambda: self._path.open("wb"))

    def append(self, ids: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        """Append the texts ``ids[offsets[i]:offsets[i + 1]]``."""
        self._attempt(lambda: self._file.write(np.ascontiguousarray(ids, self._dtype).data))
        self._ends.append(self._written + offsets[1:])
        self._written += int(offsets[-1])

    def finish(self) -> Ragged:
        """All texts, mapped from the file; nothing is appended after it."""
        self._attempt(self._file.close)
        ends = np.concatenate([np.zeros(1, np.int64), *self._ends])
        offsets = np.array([0, self._written] if self._written else [0]) if self._whole else ends
        ids = np.memmap(self._path, self._dtype, "r") if self._written else np.empty(0, self._dtype)
        return Ragged(ids, offsets)

    def _attempt(self, act: Any) -> Any:
        try:
            return act()
        except OSError as error:
            with contextlib.suppress(OSError, AttributeError):  # it tries again to write what it holds back, or was not opened
                self._file.close()
            raise RecordError(
                f"cannot write a temporary file in {self._path.parent}: {error.strerror or error}. Free some space there."
            ) from error
