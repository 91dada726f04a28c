"""Texts as one buffer of UTF-8 bytes and the places where each begins: what compiled code reads, and what shards hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share

Rows = Sequence[int] | NDArray[np.integer]
Raw = bytes  # which in the class is the name of the buffer


@dataclass(frozen=True, slots=True)
class Texts:
    """N texts in UTF-8, end to end.

    bytes: uint8 [total]. offsets: int64 [N + 1]; text i is ``bytes[offsets[i]:offsets[i + 1]]``.
    """

    bytes: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[str | Raw]) -> Texts:
        """The buffer of these texts; bytes are taken to be UTF-8. A lone surrogate becomes U+FFFD."""
        parts = [text if isinstance(text, Raw) else _encoded(text) for text in texts]
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """The texts of all parts, in their order."""
        sizes = [np.diff(part.offsets) for part in parts]
        own = [part.bytes[part.offsets[0] : part.offsets[-1]] for part in parts]
        return cls(
            np.concatenate([np.empty(0, np.uint8), *own]), np.concatenate([[0], *sizes]).astype(np.int64).cumsum(dtype=np.int64)
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Rows) -> Texts:
        """The texts of these rows, in the order asked for."""
        rows = np.asarray(rows, np.int64)
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.offsets[rows + 1] - self.offsets[rows], out=offsets[1:])
        found = Texts(np.empty(offsets[-1], np.uint8), offsets)
        share(_copy_all, len(found.bytes), self.bytes, self.offsets, rows, found.bytes, offsets)
        return found

    def part(self, first: int, last: int) -> Texts:
        """The texts ``first`` to ``last``, without copying their bytes."""
        return Texts(self.bytes, self.offsets[first : last + 1])

    def strings(self, rows: Rows | None = None) -> list[str]:
        """The texts of these rows, or all, as Python has them."""
        rows = range(len(self)) if rows is None else rows
        return [self.bytes[self.offsets[row] : self.offsets[row + 1]].tobytes().decode() for row in rows]


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


@njit(cache=True, nogil=True)
def _copy_all(part, parts, bytes, offsets, rows, out, places):  # type: ignore[no-untyped-def]
    for i in range(len(rows) * part // parts, len(rows) * (part + 1) // parts):
        out[places[i] : places[i + 1]] = bytes[offsets[rows[i]] : offsets[rows[i] + 1]]
