"""Bytes of a file or of stdin, a chunk at a time, unpacked where they begin like gzip or zstd."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ..core.errors import DataError

CHUNK = 1 << 18
"""Bytes at a time: few enough that a chunk and what is made of it stay in the processor's cache."""

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def missing(path: Path) -> DataError:
    """The error for a path that is not there, with the neighbour that was probably meant."""
    with contextlib.suppress(OSError):
        if close := difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1):
            return DataError(f"there is no file {path}. Did you mean {path.with_name(close[0])}?")
    return DataError(f"there is no file {path}.")


def chunks(path: Path | None) -> Iterator[bytes]:
    """The unpacked bytes of ``path``, or of stdin if it is None.

    Raises:
        DataError: the file is missing, cannot be read, or its compression is damaged or cut off.
    """
    name = "stdin" if path is None else str(path)
    try:
        with contextlib.ExitStack() as stack:
            file = cast(io.BufferedReader, sys.stdin.buffer) if path is None else stack.enter_context(path.open("rb"))
            magic = file.peek(4)[:4]
            if magic.startswith(GZIP):
                yield from _plain(cast(BinaryIO, gzip.GzipFile(fileobj=file)))
            elif magic == ZSTD:
                yield from _zstd(file)
            else:
                yield from _plain(file)
    except FileNotFoundError:
        raise missing(Path(name)) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name}: its compression is damaged or cut off ({error}). Get the file again.") from None
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror or error}.") from error


def _plain(file: BinaryIO | io.BufferedReader) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _zstd(file: io.BufferedReader) -> Iterator[bytes]:
    """All frames; the package's own stream reader takes a file that is cut off for a whole one."""
    import zstandard

    try:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while packed := file.read(1 << 17):
            while packed:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                if chunk := frame.decompress(packed):
                    yield chunk
                packed = frame.unused_data if frame.eof else b""
    except zstandard.ZstdError as error:
        raise EOFError(error) from None
    if not frame.eof:
        raise EOFError("it ends in the middle")
