"""Rows between a format's reader and the corpus: checked a block at a time, row by row only where a block fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tokens.graphemes import composed
from .columns import Columns
from .labels import LabelBook, RowFault, described
from .languages import LanguageBook
from .options import Label

Place = int | str
"""Where a row stands: the number of its line or row, or the path of its file."""

Fault = tuple[Place, str]
"""A bad row: its place and what is wrong with it."""
NUL = "the text holds a NUL byte; is the file really text, and in the encoding given?"


@dataclass(slots=True)
class Rows:
    """A block of rows as a format gives them, unchecked, and the faults of those it could not read at all."""

    texts: list[Any]
    labels: list[Any]
    places: Sequence[Place]
    weights: list[Any] | None = None
    faults: list[Fault] = field(default_factory=list)
    triples: bool = False
    languages: list[Any] | None = None
    kept: list[list[Any]] = field(default_factory=list)

    @classmethod
    def of(cls, cells: Sequence[list[Any]], columns: Columns, places: Sequence[Place], faults: Iterable[Fault] = ()) -> Rows:
        """Rows of columns. ``cells``: of each of ``columns.chosen``."""
        several = len(columns.text)
        join = triple if columns.triples else _joined
        column = dict(zip(columns.chosen, cells, strict=True))
        return cls(
            cells[0] if several == 1 else list(map(join, zip(*cells[:several], strict=True))),
            [None] * len(cells[0]) if columns.label is None else column[columns.label],
            places,
            None if columns.weight is None else column[columns.weight],
            list(faults),
            columns.triples,
            None if columns.language is None else column[columns.language],
            [column[i] for i in columns.kept],
        )

    def take(self, indices: list[int]) -> Rows:
        """Only the rows at ``indices``, without the faults."""
        return Rows(
            [self.texts[i] for i in indices],
            [self.labels[i] for i in indices],
            [self.places[i] for i in indices],
            None if self.weights is None else [self.weights[i] for i in indices],
            triples=self.triples,
            languages=None if self.languages is None else [self.languages[i] for i in indices],
            kept=[[column[i] for i in indices] for column in self.kept],
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """An opened source: its rows to come, what its places count, and the columns that were chosen, and kept.

    expected: how many rows it has in all, told how many were read so far; None: that is not known.
    """

    rows: Iterator[Rows]
    unit: str = "line"
    text_column: str | None = None
    label_column: str | None = None
    kept: tuple[str, ...] = ()
    expected: Callable[[int], float | None] = lambda rows: None


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows fit for the corpus. ``encoded`` is each text in UTF-8; none holds a NUL byte. ``composed``: how many texts are not as
    they were given, but in composed form. ``kept``: the cells of each kept column.
    """

    texts: list[str]
    composed: int
    encoded: list[bytes]
    labels: list[Label | None]
    places: Sequence[Place]
    weights: NDArray[np.float32] | None
    languages: NDArray[np.int32] | None
    kept: list[list[Any]]


def check(
    rows: Rows, book: LabelBook, languages: LanguageBook | None = None, *, compose: bool = False
) -> tuple[Checked, list[Fault]]:
    """The good rows of a block, and all its faults in the order they stand in the file; ``languages``: where rows have any.

    ``compose``: whether to bring texts into the composed form; all that is read passes here.
    """
    book.look(rows.labels)
    try:
        return _whole(rows, book, languages, compose), rows.faults
    except RowFault:
        pass
    good, faults = [], list(rows.faults)
    for i, place in enumerate(rows.places):
        try:
            _whole(rows.take([i]), book, languages, compose)
            good.append(i)
        except RowFault as fault:
            faults.append((place, str(fault)))
    return _whole(rows.take(good), book, languages, compose), sorted(faults, key=lambda fault: fault[0])


def _whole(rows: Rows, book: LabelBook, languages: LanguageBook | None, compose: bool) -> Checked:
    """The block as it is, if every row of it is good. The reason of a fault is worded for a single row."""
    texts = rows.texts
    for kind in set(map(type, texts)):
        if kind is not str:
            odd = next(text for text in texts if type(text) is kind)
            raise RowFault("the text is missing" if odd is None else f"the text is {described(odd)}, not text")
    made, changed = composed(texts) if compose else (texts, 0)
    texts = list(made)
    try:
        encoded = list(map(str.encode, texts))
    except UnicodeEncodeError as error:
        raise RowFault(f"the text holds a lone surrogate, U+{ord(error.object[error.start]):04X}") from None
    if b"\0" in b"\n".join(encoded):
        raise RowFault(NUL)
    if not all(texts) or any(map(str.isspace, texts)):
        raise RowFault("the text is empty")
    if rows.triples:
        _check_triples(texts)
    told = None if languages is None else languages.read(rows.languages, texts)
    return Checked(texts, changed, encoded, book.intern(rows.labels), rows.places, _weights(rows.weights), told, rows.kept)


def _joined(parts: Sequence[Any]) -> Any:
    """Several texts as one; something that is no text as it is, for the check to name."""
    try:
        return " ".join([part for part in parts if part is not None and part != ""])
    except (TypeError, ValueError):  # the latter of an array that is compared with a text
        return next(part for part in parts if part is not None and not isinstance(part, str))


def triple(parts: Sequence[Any]) -> Any:
    """Three names as one text, with tabs between; something that is no text as it is, for the check to name."""
    try:
        return "\t".join(parts)
    except TypeError:
        return next(part for part in parts if not isinstance(part, str))


def _check_triples(texts: Sequence[str]) -> None:
    for text in texts:
        names = text.split("\t")
        if len(names) != 3 or not all(map(str.strip, names)):
            raise RowFault(f"the row is {text!r}; wanted three names (head, relation, tail), none empty, and no tab within one")


def _weights(weights: list[Any] | None) -> NDArray[np.float32] | None:
    if weights is None:
        return None
    try:
        values = np.array([float(weight) for weight in weights], np.float32)
    except (TypeError, ValueError, OverflowError):
        raise RowFault(f"the weight is {described(weights[0])}, not a number") from None
    if not (np.isfinite(values) & (values >= 0)).all():
        raise RowFault(f"the weight is {weights[0]}; wanted a finite number, not below 0")
    return values
