"""Votes of labelling rules on texts, as files hold them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import DataError
from ..data import ReadOptions, named
from ..data.columns import LABEL_NAMES, choose
from ..data.formats.parquet import MAGIC
from ..data.labels import RowFault
from ..data.sources import chunks

_VOTES = "votes"
_ABSTAINED = ("", "-1")
_WANTED = "Wanted a text and votes in each row: one column a rule, or in JSON lines or Parquet a list in the column votes."
Row = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Votes:
    """What each of the ``rules`` says of each text: a label, or None where it abstains. places: of the rows, in words."""

    texts: list[str]
    votes: list[list[str | None]]
    rules: list[str]
    places: list[str]

    @property
    def labels(self) -> list[str]:
        """Every label that is voted for, in the alphabet's order."""
        return sorted({vote for row in self.votes for vote in row if vote is not None})


def read_votes(path: Path) -> Votes:
    """The votes in a file: JSON lines, CSV, TSV or Parquet, packed or not.

    A row has a text, and its votes: a list in the column ``votes``, or one column for each rule. In the latter case a column
    called as labels are (``label``, ``class``, …) is nobody's vote and left out. A rule abstains by null, an empty cell, or -1.

    Raises:
        DataError: there are no votes, or a row has another number of them than the first; names the row.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f"{path} holds no rows. {_WANTED}")
    names = list(dict.fromkeys(key for _, cells in rows for key in cells))
    columns = choose(names, ReadOptions(unlabelled=True, label=_unvoted(names)), str(path))
    text = names[columns.text[0]]
    rules = [] if _VOTES in names else [name for name in names if name != text and name.casefold() not in LABEL_NAMES]
    votes: list[list[str | None]] = []
    for place, cells in rows:
        if not isinstance(cells.get(text), str):
            raise DataError(f"{path}, {place}: the text is missing.")
        given = _list(cells.get(_VOTES), f"{path}, {place}") if not rules else [cells.get(rule) for rule in rules]
        votes.append([_vote(each, f"{path}, {place}") for each in given])
        if len(votes[-1]) != len(votes[0]):
            raise DataError(
                f"{path}, {place}: {len(votes[-1])} votes, where the first row has {len(votes[0])}. Give one of each rule, null "
                "where it abstains."
            )
    numbered = [str(number + 1) for number in range(len(votes[0]))]
    found = Votes([cells[text] for _, cells in rows], votes, rules or numbered, [place for place, _ in rows])
    if not found.labels:
        raise DataError(f"{path}: no rule votes for anything. {_WANTED}")
    return found


def _unvoted(names: Sequence[str]) -> str | None:
    return next((name for name in names if name.casefold() in LABEL_NAMES), None)


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{place}: the votes are no list. {_WANTED}")
    return value


def _vote(value: Any, place: str) -> str | None:
    try:
        spelled = "" if value is None else named(value).strip()
    except RowFault as fault:
        raise DataError(f"{place}: {fault}. {_WANTED}") from None
    return None if spelled in _ABSTAINED else spelled


def _rows(path: Path) -> Iterator[Row]:
    raw = b"".join(chunks(path))
    if raw.startswith(MAGIC):
        import polars as pl

        try:
            frame = pl.read_parquet(io.BytesIO(raw))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DataError(f"{path} is damaged ({error}). Get the file again.") from None
        yield from ((f"row {number}", cells) for number, cells in enumerate(frame.iter_rows(named=True), 1))
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8 ({error}). Save it in UTF-8.") from None
    if text.lstrip().startswith("{"):
        yield from _json_rows(text, path)
        return
    mark = max("\t,;|", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        names = next(reader, [])
        for cells in reader:
            if cells and len(cells) != len(names):
                raise DataError(f"{path}, line {reader.line_num}: {len(cells)} cells, where the header has {len(names)}.")
            if cells:
                yield f"line {reader.line_num}", dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}. Correct the line.") from None


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON ({error}).") from None
        if not isinstance(cells, dict):
            raise DataError(f"{path}, line {number}: no JSON object. {_WANTED}")
        yield f"line {number}", cells
