"""Rows written as a table, CSV, JSON lines or Parquet by the file's ending, as they come: whole or nothing."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..core.errors import DataError, UsageError
from .files import encode_json, write_atomic

FORMATS = (".csv", ".jsonl", ".parquet")
AT_ONCE = 10_000
"""Rows of a part of a Parquet file."""

Row = Mapping[str, Any]


def check_format(path: Path) -> None:
    """Raise UsageError unless rows can be written to a file of that name."""
    if path.suffix not in FORMATS:
        raise UsageError(f"--out is {str(path)!r}; wanted a file that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")


def write_rows(path: Path, rows: Iterable[Row], *, mark: str = ";") -> Path:
    """Write rows that all have the same keys, and return the path; a few are held at a time.

    Args:
        path: ends in .csv, .jsonl or .parquet.
        rows: of plain values. A CSV file holds tuples joined by ``mark``, lists and objects as JSON, and None as nothing.

    Raises:
        UsageError: another ending. DataError: a column's values are of kinds that one of Parquet cannot hold.
        RecordError: the file cannot be written.
    """
    check_format(path)
    write = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix]
    write_atomic(path, lambda part: write(part, iter(rows), mark))
    return path


def _csv(path: Path, rows: Iterator[Row], mark: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        first = next(rows, {})
        writer = csv.writer(file)
        writer.writerow(first)
        writer.writerows([_cell(value, mark) for value in row.values()] for row in chain([first], rows) if row)


def _cell(value: Any, mark: str) -> Any:
    if isinstance(value, tuple):
        return mark.join(map(str, value))
    return encode_json(value) if isinstance(value, list | dict) else value


def _jsonl(path: Path, rows: Iterator[Row], mark: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(encode_json(row) + "\n" for row in rows)


def _parquet(path: Path, rows: Iterator[Row], mark: str) -> None:
    """In parts, which are then made one: a column's type is known when all have been seen."""
    import polars as pl

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        parts = list[pl.LazyFrame]()
        while some := list(islice(rows, AT_ONCE)):
            part = Path(folder, f"{len(parts)}.parquet")
            try:
                frame = pl.DataFrame([[row[name] for row in some] for name in some[0]], list(some[0]), orient="col")
            except (TypeError, pl.exceptions.PolarsError) as error:
                raise _mixed(error) from None
            frame.write_parquet(part)
            parts.append(pl.scan_parquet(part))
        whole = pl.concat(parts, how="vertical_relaxed") if parts else pl.LazyFrame()
        try:
            whole.collect_schema()
        except pl.exceptions.PolarsError as error:
            raise _mixed(error) from None
        whole.sink_parquet(path)


def _mixed(error: Exception) -> DataError:
    why = str(error).partition("\n")[0]
    return DataError(f"a column holds values that one of Parquet cannot ({why}). Write a .jsonl file, or leave the column out.")
