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

    bytes: uint8 [total]. offsets: int64 [N + 1]; text i is ``bytes[offsets[i]:offsets[i + 1]]``. Both are read-only views.
    """

    bytes: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name in ("bytes", "offsets"):  # so that compiled code is compiled for one kind of arrays
            view = getattr(self, name).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

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
        starts = self.offsets[rows]
        return packed(self.bytes, starts, self.offsets[rows + 1] - starts)

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


def packed(bytes: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Texts:
    """The texts that stand in ``bytes`` at these places."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    found = np.empty(offsets[-1], np.uint8)
    share(_pack_all, len(found), bytes, starts, found, offsets)
    return Texts(found, offsets)


@njit(cache=True, nogil=True)
def _pack_all(part, parts, bytes, starts, found, offsets):  # type: ignore[no-untyped-def]
    texts = len(starts)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        for k in range(offsets[text + 1] - offsets[text]):
            found[offsets[text] + k] = bytes[starts[text] + k]
