"""Data frames of pandas or Polars, column by column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.errors import DataError
from ..checked_rows import Reading, Rows
from ..columns import Columns, choose
from ..options import ReadOptions

AT_ONCE = 10_000


def is_frame(source: Any) -> bool:
    """Whether rows come as a frame, lazy or not."""
    kind = type(source)
    return kind.__name__ in ("DataFrame", "LazyFrame") and kind.__module__.partition(".")[0] in ("pandas", "polars")


def read(frame: Any, options: ReadOptions, source: str) -> Reading:
    """Rows of a frame; what pandas holds as NaN is missing."""
    frame = frame.collect() if type(frame).__name__ == "LazyFrame" else frame
    columns = choose(map(str, frame.columns), options, source)
    if not len(frame):
        raise DataError(f"{source} are empty. Wanted a row for each text.")
    return Reading(_rows(frame, columns), "row", columns.text_column, columns.label_column, columns.kept_names)


def _rows(frame: Any, columns: Columns) -> Iterator[Rows]:
    for start in range(0, len(frame), AT_ONCE):
        part = frame[start : start + AT_ONCE]
        cells = [_cells(part, number) for number in columns.chosen]
        yield Rows.of(cells, columns, range(start + 1, start + 1 + len(part)))


def _cells(frame: Any, number: int) -> list[Any]:
    """One column as Python values, None where one is missing. By number: names may be doubled, or no text."""
    series = frame.iloc[:, number] if hasattr(frame, "iloc") else frame[:, number]
    missing = series.isna() if hasattr(series, "isna") else series.is_null()
    return [None if gone else value for value, gone in zip(series.to_list(), missing.to_list(), strict=True)]
