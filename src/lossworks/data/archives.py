"""What holds files: a zip, a workbook with its sheets, a folder of Parquet shards. One inside has a path: ``x.zip/train.csv``."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..core.errors import DataError

OFFICE = rb"PK\x03\x04.{0,200}(\[Content_Types\]|_rels/|docProps/|xl/|word/|mimetypeapplication/vnd)"
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\Z")
_ZIP = b"PK\x03\x04"
UNUSABLE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeError)  # damaged; packed in a rare way; a password


def within(name: str) -> list[str]:
    """The data files in a zip or a folder of Parquet shards, in the order of their names; anything else is itself.

    Raises:
        DataError: there is none, the zip is damaged, or the shards are of several parts, such as train and test.
    """
    path = Path(name)
    if os.path.isdir(path):  # which no name is too long for
        return _shards(path) or [name]
    if not os.path.isfile(path) or path.suffix.lower() in WORKBOOKS or not _is_zip(path):
        return [name]
    try:
        with zipfile.ZipFile(path) as file:
            found = sorted(each.filename for each in file.infolist() if not each.is_dir() and _is_data(each.filename))
    except UNUSABLE as error:
        raise _damaged(name, error) from None
    if not found:
        raise DataError(f"{name} is a zip without a file in it.")
    return [f"{name}/{each}" for each in found]


def container(path: Path) -> tuple[Path, str] | None:
    """The file that ``path`` leads into, and the rest of it; None where it leads into none."""
    found = next((parent for parent in path.parents if os.path.isfile(parent)), None)
    return None if found is None else (found, path.relative_to(found).as_posix())


@contextmanager
def opened(archive: Path, member: str) -> Iterator[tuple[IO[bytes], int]]:
    """A file in a zip, and how many bytes it has there.

    Raises:
        DataError: there is none of that name, or it is damaged, or needs a password.
    """
    try:
        with zipfile.ZipFile(archive) as file, file.open(member) as inner:
            yield inner, file.getinfo(member).compress_size
    except KeyError:
        raise DataError(f"there is no file {member} in {archive}.") from None
    except UNUSABLE as error:
        raise _damaged(f"{archive}/{member}", error) from None


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except OSError:  # said where it is read
        return False
    return start.startswith(_ZIP) and not re.match(OFFICE, start, re.DOTALL)


def _is_data(member: str) -> bool:
    """Whether it is more than what macOS, or a hidden folder, leaves beside the files."""
    return not any(part.startswith((".", "__MACOSX")) for part in member.split("/"))


def _shards(folder: Path) -> list[str]:
    """The Parquet files of a folder that has no sub-folders for its classes."""
    try:
        names = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:  # said where it is read
        return []
    files = sorted(path for path in names if path.suffix.lower() in (".parquet", ".pq"))
    if not files or any(path.is_dir() for path in names):
        return []
    parts = sorted({_SHARD.sub("", path.stem) for path in files if _SHARD.search(path.stem)})
    if len(parts) > 1:
        raise DataError(f"{folder} holds shards of {', '.join(parts)}. Name those of one: '{folder}/{parts[-1]}-*.parquet'.")
    return list(map(str, files))


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: the zip is damaged, or cannot be unpacked here ({error}). Unpack it, and give the files inside.")
