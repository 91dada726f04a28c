"""A folder with one sub-folder per class, each file in it one text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...core.errors import DataError
from ..checked_rows import Reading, Rows
from ..encodings import blocks
from ..options import ReadOptions
from ..sources import chunks

AT_ONCE = 32


def read(path: Path, options: ReadOptions) -> Reading:
    """Rows in the order of class and file name. Hidden files are left alone."""
    try:
        classes = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
        files = [file for folder in classes for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    except OSError as error:
        raise DataError(f"cannot read {error.filename}: {error.strerror}.") from error
    if not classes:
        raise DataError(f"{path} is a folder without sub-folders. Wanted one sub-folder per class, a file per text; or a file.")
    return Reading(_rows(files, options), "file")


def _rows(files: list[Path], options: ReadOptions) -> Iterator[Rows]:
    for start in range(0, len(files), AT_ONCE):
        group = files[start : start + AT_ONCE]
        good = [file for file in group if not file.is_dir()]
        yield Rows(
            [_text(file, options.encoding) for file in good],
            [file.parent.name for file in good],
            [str(file) for file in good],
            faults=[(str(file), "a folder inside a class; wanted files of text") for file in group if file.is_dir()],
        )


def _text(file: Path, encoding: str) -> str:
    text = "".join(block.text() for block in blocks(chunks(file), encoding, str(file)))
    return text.removesuffix("\n").removesuffix("\r")
