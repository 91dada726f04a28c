"""``stream``: the rows of a source a block at a time, for what is said of each and written beside it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..core.errors import DataError
from .checked_rows import Checked, Reading, check
from .labels import LabelBook
from .loading import open_rows
from .options import ALL, ROWS_WANTED, ReadOptions


@contextmanager
def stream(source: str | os.PathLike[str] | Iterable[Any], options: ReadOptions) -> Iterator[Stream]:
    """The rows of one source, a file, a folder, "-" or Python rows, as ``load`` reads them, but a block at a time: none is held.

    Raises:
        DataError: as ``load``, in the midst of the rows too.
    """
    with ExitStack() as stack:
        name, reading = open_rows(source, options, stack, None)
        beside = () if reading.kept else _without_columns(name, reading, options)
        yield Stream(name, reading, options, beside)


def _without_columns(name: str, reading: Reading, options: ReadOptions) -> tuple[str, ...]:
    """What is kept of rows that have no columns: the text, and where each is a file of its own also that."""
    there = ("file", "text") if reading.unit == "file" else ("text",)
    if options.keep in (None, ALL):
        return there if options.keep else ()
    for column in options.kept_columns:
        if column not in there:
            raise DataError(f"{name} has no columns, so none is {column!r} (--keep). What can be kept: {', '.join(there)}.")
    return tuple(map(str, options.kept_columns))


class Stream:
    """Rows as they are read. ``names``: of the kept columns. ``skipped``: how many bad rows were left out so far; ``composed``:
    how many texts were brought into the composed form; ``text_column``: what the text is read from, None without columns.
    """

    def __init__(self, source: str, reading: Reading, options: ReadOptions, beside: tuple[str, ...]) -> None:
        self.source, self.names = source, reading.kept or beside
        self.text_column = reading.text_column
        self.skipped = self.composed = 0
        self._reading, self._options, self._beside = reading, options, beside

    def blocks(self) -> Iterator[Checked]:
        """The good rows, ``kept`` in the order of ``names``."""
        book, reading, empty = LabelBook(optional=True), self._reading, True
        for rows in reading.rows:
            if self._beside:
                cells = {"text": rows.texts, "file": list(map(str, rows.places))}
                rows.kept = [cells[name] for name in self._beside]
            rows.labels = [None] * len(rows.texts)  # one that is no label is no fault here
            found, faults = check(rows, book, compose=self._options.composes)
            if faults and self._options.bad_rows != "skip":
                place, why = faults[0]
                at = place if isinstance(place, str) else f"{self.source}, {reading.unit} {place}"
                raise DataError(f"{at}: {why}. Repair it, or leave bad rows out with --bad-rows skip.")
            self.skipped += len(faults)
            self.composed += found.composed
            empty = empty and not found.texts
            if found.texts:
                yield found
        if empty:
            raise DataError(
                f"{self.source} holds no rows that are good; {self.skipped:,} are bad. Repair them."
                if self.skipped
                else f"{self.source} holds no rows. {ROWS_WANTED}"
            )
