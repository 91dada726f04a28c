"""How much of a file is held in memory, or unpacked, before it is refused; an environment variable raises each limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

from ..core.errors import DataError, UsageError
from ..core.units import size

LINE, RATIO = "LOSSWORKS_MAX_LINE", "LOSSWORKS_MAX_RATIO"
_LINE = 256 << 20  # text8, a line of 100 MB, is a corpus that people have
_RATIO = 200.0  # text is packed to a third or a tenth, tidy logs to a fiftieth, gzip's most is 1,032
SMALL = 32 << 20
"""Bytes that any file may unpack to, whatever the ratio."""


def longest_line() -> int:
    """Bytes that one line, quoted field or array of JSON may have, since it is in memory as a whole."""
    return size(os.environ.get(LINE) or _LINE)


def check_line(length: int, place: str, what: str = "the line") -> None:
    """Raise DataError where what stands at ``place`` is longer than is held in memory."""
    if length > (most := longest_line()):
        raise DataError(
            f"{place}: {what} is longer than {most:,} bytes, and it would be in memory as a whole. Is the file really text, in "
            f"lines? If so, allow more: {LINE}=2G."
        )


class Packed:
    """A packed file that is read forwards; ``taken``: how many of its bytes were asked for so far, or are all there is."""

    def __init__(self, file: IO[bytes], taken: int = 0) -> None:
        self._file, self.taken = file, taken

    def read(self, count: int = -1) -> bytes:
        """As of a file."""
        piece = self._file.read(count)
        self.taken += len(piece)
        return piece

    def unpacked(self, chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
        """The chunks that come out of it, for as long as they are not out of proportion.

        Raises:
            DataError: they are.
        """
        got = 0
        for chunk in chunks:
            got += len(chunk)
            check_ratio(name, got, self.taken)
            yield chunk


def check_ratio(name: str, got: int, packed: int) -> None:
    """Raise DataError where so many bytes that were ``packed`` unpack to more than they should."""
    if got > SMALL and got > (most := _ratio()) * packed:
        raise DataError(
            f"{name}: {packed:,} bytes unpack to {got:,} or more, over {most:g} times as many, as text hardly ever does. "
            f"If it is meant to be so, allow more: {RATIO}=2000."
        )


def _ratio() -> float:
    said = os.environ.get(RATIO) or _RATIO
    try:
        ratio = float(said)
    except ValueError:
        ratio = 0
    if not ratio >= 1:
        raise UsageError(f"{RATIO} is {said!r}; wanted a number, 1 or more.")
    return ratio
