"""Parquet, streamed through polars in batches of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import DataError
from ..checked_rows import Reading, Rows
from ..columns import Columns, choose
from ..options import ReadOptions

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"PAR1"
BEGINNING = MAGIC + b"\x15"  # what follows is a page's head, or the footer; both begin so, and no text does
AT_ONCE = 1 << 12


def is_plain(path: Path) -> bool:
    """Whether the file can be read where it is, being no compressed one."""
    if not path.is_file():  # a path into a zip
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path, options: ReadOptions, source: str) -> Reading:
    """Rows of a Parquet file.

    Raises:
        DataError: the file is damaged, or a text column holds something else.
    """
    import polars as pl

    frame = pl.scan_parquet(path)
    try:
        schema = frame.collect_schema()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _damaged(source, error) from None
    columns = choose(schema.names(), options, source)
    names = schema.names()
    for name in (names[i] for i in columns.text):
        if schema[name] not in (pl.String, pl.Categorical, pl.Enum):
            raise DataError(f"{source}: column {name!r} holds {schema[name]}, not text. Name the text column with --text.")
    named = [names[i] for i in columns.chosen]
    spelled = [pl.col(n).cast(pl.String) if schema[n] in (pl.Categorical, pl.Enum) else pl.col(n) for n in named]
    found = _rows(frame.select(spelled), columns, _class_names(path, columns.label_column), source)
    count = _count(frame)
    return Reading(found, "row", columns.text_column, columns.label_column, columns.kept_names, lambda rows: count)


def _count(frame: pl.LazyFrame) -> int | None:
    """How many rows the file says that it has."""
    import polars as pl

    try:
        return int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):  # said where the rows are read
        return None


def _class_names(path: Path, column: str | None) -> list[str]:
    """The names of the classes that a column of numbers stands for, where Hugging Face's datasets wrote the file; else none."""
    import polars as pl

    try:
        feature = json.loads(pl.read_parquet_metadata(path)["huggingface"])["info"]["features"][column]
        feature = feature.get("feature", feature)  # of a list
        return list(feature["names"]) if feature["_type"] == "ClassLabel" else []
    except (KeyError, TypeError, AttributeError, ValueError):
        return []


def _class_name(value: Any, names: list[str]) -> Any:
    """What a class number, or each in a list, stands for; -1 says that there is none."""
    if isinstance(value, list):
        return [_class_name(item, names) for item in value]
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None if value == -1 else value


def _rows(frame: pl.LazyFrame, columns: Columns, classes: list[str], source: str) -> Iterator[Rows]:
    import polars as pl

    number = 1
    try:
        for batch in frame.collect_batches(chunk_size=AT_ONCE, maintain_order=True):
            cells: list[list[Any]] = [series.to_list() for series in batch.get_columns()]
            if classes:
                cells[len(columns.text)] = [_class_name(value, classes) for value in cells[len(columns.text)]]
            yield Rows.of(cells, columns, range(number, number + len(cells[0])))
            number += len(cells[0])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _damaged(source, error) from None


def _damaged(source: str, error: Exception) -> DataError:
    why = str(error).partition("\n")[0]
    return DataError(f"{source}: not a Parquet file, or a damaged one ({why}). Get the file again.")
