"""The files of a preparation: how each is read, what tells that it changed, and the pieces that one task reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.errors import DataError
from ...data.archives import container
from ...data.formats import jsonl
from ...data.loading import look
from ...data.options import ReadOptions
from ...data.sources import PACKED_MARK, missing

_UNPACKED = 4  # how many times its size a compressed file is taken to hold
_CUT = ("lines", "jsonl", "fasttext")  # formats in which every line end parts two rows


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a folder of classes. state: what tells whether it changed; keys: of JSON lines, for all pieces alike."""

    name: str
    format: str
    state: list[int]
    keys: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one task reads: bytes of a source, or all of it where ``end`` is None."""

    source: int
    begin: int = 0
    end: int | None = None


def against(read: ReadOptions) -> ReadOptions:
    """How texts to be kept out are read: whatever their labels are, if there are any."""
    return replace(read, unlabelled=True, label=None, bad_rows="skip")


def changed(name: str) -> DataError:
    """The one message for a source that is another than at the beginning."""
    return DataError(
        f"{name} has changed since its preparation began. Let it be as it was, or begin anew with another --out; "
        "nothing of what is unfinished counts."
    )


def looked(name: str, read: ReadOptions) -> Source:
    """A source as it is now; DataError where it cannot be read, or its format not be told."""
    path = Path(name)
    state = state_of(path)
    if path.is_dir():
        return Source(name, "folder", state)
    format, _, lines = look(path, read)
    keys = None
    if format == "jsonl":
        head = next(lines)
        if jsonl.ARRAY.match(head.text()):
            return Source(name, "json array", state)
        keys = jsonl.keys_of(head, name)
    return Source(name, format, state, keys)


def state_of(path: Path) -> list[int]:
    """The size and the time of the last change, of a folder those of all files in it; DataError where it is gone."""
    try:
        found = [file.stat() for file in files_of(path)]
    except FileNotFoundError:
        raise missing(path) from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    return [sum(each.st_size for each in found), max((each.st_mtime_ns for each in found), default=0), len(found)]


def files_of(path: Path) -> list[Path]:
    """The file itself, the zip that it is in, or all in a folder, in one order."""
    inside = container(path)
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [inside[0] if inside else path]


def unpacked_size(source: Source) -> int:
    """About how many bytes it holds."""
    return source.state[0] * (_UNPACKED if _is_packed(source) else 1)


def _is_packed(source: Source) -> bool:
    if source.format == "folder":
        return False
    if container(Path(source.name)):
        return True
    with Path(source.name).open("rb") as file:
        return bool(PACKED_MARK.match(file.read(10)))


def pieces(number: int, source: Source, read: ReadOptions, most: int) -> Iterator[Piece]:
    """A source in pieces of some ``most`` bytes that end with a line, where format and compression allow, else as a whole."""
    size = source.state[0]
    plain = source.format in _CUT and read.encoding in ("utf-8", "utf-8-sig") and read.texts in (None, "line")
    if size <= most or not plain or _is_packed(source):
        yield Piece(number)
        return
    begin = 0
    with Path(source.name).open("rb") as file:
        while begin < size:
            end = _line_end(file.fileno(), begin + most, size)
            yield Piece(number, begin, end)
            begin = end


def _line_end(file: int, place: int, size: int) -> int:
    """Where the line that ``place`` is in ends."""
    while place < size:
        data = os.pread(file, 1 << 16, place)
        if not data:
            break
        found = data.find(b"\n")
        if found >= 0:
            return place + found + 1
        place += len(data)
    return size
