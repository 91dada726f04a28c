"""Bytes of a file or of stdin, a chunk at a time, unpacked where they begin like gzip, bzip2, xz or zstd."""

from __future__ import annotations

import bz2
import contextlib
import difflib
import glob
import gzip
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from ..core.errors import DataError, UsageError
from .archives import OFFICE, container, opened, within
from .limits import Packed

CHUNK = 1 << 18
"""Bytes at a time: few enough that a chunk and what is made of it stay in the processor's cache."""

ZSTD_CHUNK = 1 << 13
"""Packed bytes at a time. They come out in one piece, and a few of them may be 32,000 times as many."""

ZSTD = b"\x28\xb5\x2f\xfd"
PACKED = (
    (rb"\x1f\x8b", gzip.open),
    (rb"BZh[1-9](1AY&SY|\x17rE8P)", bz2.open),
    (rb"\xfd7zXZ\0", lzma.open),
)
PACKED_MARK = re.compile(b"|".join([re.escape(ZSTD), *(mark for mark, _ in PACKED)]))
"""How compressed files begin."""

_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MAGIC, _SPECIAL = re.compile(rf"[*?[]|{_BRACES.pattern}"), re.compile(r"[*?[\]{},]")
_UNPACK = "an archive. Unpack it, and give the file inside."
_SHEET = "a workbook or a document of an office program. Save it there as CSV in UTF-8, and give that file."
FOREIGN = (  # how files begin that hold no lines of text, in the order they are tried in
    (OFFICE, _SHEET),
    (rb"\xd0\xcf\x11\xe0", _SHEET),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)|7z\xbc\xaf|Rar!\x1a|.{257}ustar", _UNPACK),
    (rb"%PDF-", "a PDF. Save its text, and give that file."),
)


def missing(path: Path) -> DataError:
    """The error for a path that is not there, with the neighbour that was probably meant."""
    with contextlib.suppress(OSError, ValueError):
        if path.is_symlink():
            return DataError(f"{path} is a link to {path.readlink()}, which is not there.")
        if close := difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1):
            return DataError(f"there is no file {path}. Did you mean {path.with_name(close[0])}?")
    return DataError(f"there is no file {path}.")


def matching(source: str | os.PathLike[str]) -> list[str]:
    """The files that ``source`` stands for: itself, or where it is a pattern (``*``, ``?``, ``[…]``, ``{…,…}``, as in a shell)
    those that fit it, in the order of their names; where that is a zip or a folder of Parquet shards, the files in it.

    Raises:
        DataError: a pattern that no file fits, or nothing is in the zip.
    """
    name = os.fspath(source)
    if not _MAGIC.search(name) or os.path.lexists(name):
        return within(name)
    found = dict[str, None]()
    for pattern in _alternatives(name):
        files = [pattern] if not glob.has_magic(pattern) or os.path.lexists(pattern) else sorted(glob.glob(pattern))
        if not files:
            raise DataError(f"there is no file that fits the pattern {pattern}.")
        found |= dict.fromkeys(files)
    return [each for file in found for each in within(file)]


def together(sources: Sequence[str]) -> str:
    """One pattern for several files, or the one that there is.

    Raises:
        UsageError: a name holds what patterns are made of, or standard input is one of them.
    """
    if len(sources) == 1:
        return sources[0]
    for name in sources:
        if name == "-" or _SPECIAL.search(name):
            raise UsageError(f"of several files none can be {name!r}. Name them by a pattern, as 'folder/*.csv'.")
    parts = [name.split("/") for name in sources]
    first = alike(part[:-1] for part in parts)
    last = alike(part[:first:-1] for part in parts)
    middle = ["/".join(part[first : len(part) - last]) for part in parts]
    return "/".join([*parts[0][:first], f"{{{','.join(middle)}}}", *parts[0][len(parts[0]) - last :]])


def alike(sequences: Iterable[Sequence[str]]) -> int:
    """How many elements all of the sequences begin with alike."""
    columns = list(zip(*sequences, strict=False))
    return next((place for place, each in enumerate(columns) if len(set(each)) > 1), len(columns))


def is_there(source: str) -> bool:
    """Whether there is a file or folder, or for a pattern one for each of its alternatives. A pipe is none: it is read once."""
    try:
        return all(os.path.isfile(name) or os.path.isdir(name) or container(Path(name)) for name in matching(source))
    except DataError:
        return False


def _alternatives(pattern: str) -> list[str]:
    """The patterns that braces stand for."""
    braces = _BRACES.search(pattern)
    if braces is None:
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    return [each for choice in braces[1].split(",") for each in _alternatives(before + choice + after)]


class Meter:
    """``share``: how much of a file has been read, by its own bytes, which may be packed; None: that is not known."""

    def __init__(self) -> None:
        self.share: float | None = None

    def watched(self, data: Iterator[bytes], file: io.BufferedReader) -> Iterator[bytes]:
        """The same chunks, which come from ``file``."""
        size = os.fstat(file.fileno()).st_size
        for chunk in data:
            self.share = file.tell() / size if size else None  # a pipe has none
            yield chunk


def chunks(path: Path | None, meter: Meter | None = None) -> Iterator[bytes]:
    """The unpacked bytes of ``path``, or of stdin if it is None; ``meter`` is kept told, but of a file in a zip.

    Raises:
        DataError: the file is missing, cannot be read, holds no text, or its compression is damaged or cut off.
    """
    name = "stdin" if path is None else str(path)
    try:
        with contextlib.ExitStack() as stack:
            if path is not None and (inside := container(path)):
                member, size = stack.enter_context(opened(*inside))
                data = Packed(member, size).unpacked(_unpacked(cast(io.BufferedReader, member), name), name)
            else:
                file = cast(io.BufferedReader, sys.stdin.buffer) if path is None else stack.enter_context(_opened(path))
                data = _unpacked(file, name)
                data = data if path is None or meter is None else meter.watched(data, file)
            first = next(data, b"")
            for mark, what in FOREIGN:
                if re.match(mark, first, re.DOTALL):
                    raise DataError(f"{name} is {what}")
            yield first
            yield from data
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise _damaged(name, error) from None
    except OSError as error:
        if error.errno is None:  # gzip's and bzip2's
            raise _damaged(name, error) from None
        raise DataError(f"cannot read {name}: {error.strerror}.") from error


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except (FileNotFoundError, ValueError):  # no file's name holds a NUL
        raise missing(path) from None


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: its compression is damaged or cut off ({error}). Get the file again.")


def _unpacked(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    magic = file.peek(10)
    if magic.startswith(ZSTD):
        packed = Packed(file)
        return packed.unpacked(_zstd(packed), name)
    if unpack := next((unpack for mark, unpack in PACKED if re.match(mark, magic)), None):
        packed = Packed(file)
        return packed.unpacked(_plain(cast(IO[bytes], unpack(cast(BinaryIO, packed)))), name)
    return _plain(file)


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _zstd(file: Packed) -> Iterator[bytes]:
    """All frames; the package's own stream reader takes a file that is cut off for a whole one."""
    import zstandard

    held = list[bytes]()
    try:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while packed := file.read(ZSTD_CHUNK):
            while packed:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                held.append(frame.decompress(packed))
                packed = frame.unused_data if frame.eof else b""
            if sum(map(len, held)) >= CHUNK:
                yield from _plain(io.BytesIO(b"".join(held)))
                held = []
    except zstandard.ZstdError as error:
        raise EOFError(error) from None
    if rest := b"".join(held):
        yield rest
    if not frame.eof:
        raise EOFError("it ends in the middle")
