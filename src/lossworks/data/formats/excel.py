"""Workbooks of Excel and LibreOffice: one sheet, read as a data frame."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...core.errors import DataError, NotInstalled
from ..archives import UNUSABLE, WORKBOOKS, container
from ..checked_rows import Reading, Rows
from ..limits import check_ratio
from ..options import ROWS_WANTED, ReadOptions
from . import frames


def is_workbook(path: Path) -> bool:
    """Whether the path is that of a workbook, or of a sheet in one."""
    if path.suffix.lower() in WORKBOOKS:
        return os.path.isfile(path)
    inside = container(path)
    return inside is not None and inside[0].suffix.lower() in WORKBOOKS


def read(path: Path, options: ReadOptions) -> Reading:
    """Rows of a workbook's only sheet with anything in it, or of the one that is named: ``book.xlsx/Sheet2``.

    Raises:
        NotInstalled: the reader of workbooks is missing.
        DataError: the file is damaged, or holds several sheets and none is named.
    """
    try:
        import fastexcel
    except ImportError:
        raise NotInstalled(f"reading {path} needs fastexcel. Install it: pip install 'lossworks[excel]'.") from None
    import polars as pl

    book, sheet = container(path) or (path, "")
    try:
        if zipfile.is_zipfile(book):
            with zipfile.ZipFile(book) as file:
                check_ratio(str(book), sum(each.file_size for each in file.infolist()), book.stat().st_size)
        reader = fastexcel.read_excel(book)
        names = reader.sheet_names
        filled = [name for name in names if reader.load_sheet(name, header_row=None, n_rows=1).height] if not sheet else [sheet]
    except (fastexcel.FastExcelError, *UNUSABLE) as error:
        raise DataError(f"{book}: not a workbook, or a damaged one ({str(error).splitlines()[0]}). Get the file again.") from None
    if sheet and sheet not in names:
        raise DataError(f"{book} has no sheet {sheet!r}. It has: {', '.join(names)}.")
    if len(filled) != 1:
        raise DataError(
            f"{book} holds the sheets {', '.join(filled)}. Name one: {book}/{filled[0]}."
            if filled
            else f"{book} holds no rows. {ROWS_WANTED}"
        )
    frame = pl.read_excel(
        book, sheet_name=filled[0], has_header=options.header is not False, drop_empty_rows=False, infer_schema_length=None
    )
    reading = frames.read(frame, options, str(path))
    return replace(reading, rows=_filled(reading.rows))


def _filled(blocks: Iterator[Rows]) -> Iterator[Rows]:
    """Without the blank rows, which sheets often end in."""
    for rows in blocks:
        blank = [text is None and label is None for text, label in zip(rows.texts, rows.labels, strict=True)]
        yield rows.take([i for i, gone in enumerate(blank) if not gone]) if any(blank) else rows
