"""A piece of a source as batches of rows: by the project's own readers, whatever the format; lines of plain text never become
Python strings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...data.checked_rows import NUL, Fault, Reading, check
from ...data.encodings import Block, blocks
from ...data.formats import jsonl, lines
from ...data.labels import LabelBook
from ...data.loading import collector_paused, look, open_rows
from ...data.options import Label, ReadOptions
from ...data.sources import CHUNK
from .. import Texts
from .sources import Piece, Source


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as read. labels: None where none has any; places: each one's line (row, file) in the piece."""

    texts: Texts
    labels: list[Label | None] | None
    places: NDArray[np.int64]
    faults: list[Fault]


class Counted:
    """How many lines have gone by, and what places count."""

    def __init__(self) -> None:
        self.newlines, self.unit = 0, "line"

    def blocks(self, of: Iterator[Block]) -> Iterator[Block]:
        for block in of:
            self.newlines += block.newlines
            yield block


def batches(
    source: Source, piece: Piece, options: ReadOptions, book: LabelBook, stack: ExitStack, counted: Counted
) -> Iterator[Batch]:
    """The rows of a piece, some at a time. ``book``: of its labels; what ``stack`` gets is let go of with it.

    Raises:
        DataError: the source cannot be read, or not as it is asked for.
    """
    if source.format == "lines" and options.texts in (None, "line"):
        return map(_of_lines, counted.blocks(_blocks(source, piece, options)))
    if source.format in ("jsonl", "fasttext") and piece.end is not None:
        of = counted.blocks(_blocks(source, piece, options))
        reading = jsonl.read(of, options, source.name, source.keys) if source.format == "jsonl" else lines.read_fasttext(of)
    else:
        stack.enter_context(collector_paused())
        _, reading = open_rows(source.name, options, stack, None)
    counted.unit = reading.unit
    if source.format == "lines" and options.texts == "file":
        return iter([_whole(reading)])
    return _of_rows(reading, book)


def _blocks(source: Source, piece: Piece, options: ReadOptions) -> Iterator[Block]:
    if piece.end is None:
        return look(Path(source.name), options)[2]
    return blocks(bytes_of(Path(source.name), piece.begin, piece.end), options.encoding, source.name)


def bytes_of(path: Path, begin: int, end: int) -> Iterator[bytes]:
    """Those bytes of a file, as they stand; DataError where it has become shorter."""
    try:
        with path.open("rb") as file:
            while begin < end:
                data = os.pread(file.fileno(), min(CHUNK, end - begin), begin)
                if not data:
                    raise DataError(f"{path} has become shorter while it was read. Let it be as it was, and begin anew.")
                yield data
                begin += len(data)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error


def _of_lines(block: Block) -> Batch:
    """The lines of a block without their ends; one with nothing in it is no row."""
    block.text()  # is it UTF-8?
    raw = np.frombuffer(block.raw, np.uint8)
    ends = np.flatnonzero(raw == 10)
    if not block.raw.endswith(b"\n"):
        ends = np.append(ends, len(raw))
    begins = np.concatenate([[0], ends[:-1] + 1])
    inside = raw != 10
    lengths = ends - begins
    if b"\r" in block.raw:
        returns = ends[(lengths > 0) & (raw[np.maximum(ends - 1, 0)] == 13)] - 1
        inside[returns] = False
        lengths[np.searchsorted(begins, returns, "right") - 1] -= 1
    faults: list[Fault] = []
    places = np.arange(block.line, block.line + len(ends))
    texts = Texts(raw[inside], np.concatenate([[0], lengths.cumsum()]))
    kept = lengths > 0
    if b"\0" in block.raw:
        marred = np.unique(np.searchsorted(ends, np.flatnonzero(raw == 0)))
        faults = [(int(places[row]), NUL) for row in marred]
        kept[marred] = False
    if not kept.all():
        texts = texts.take(np.flatnonzero(kept))
    return Batch(texts, None, places[kept], faults)


def _of_rows(reading: Reading, book: LabelBook) -> Iterator[Batch]:
    number = 0
    for rows in reading.rows:
        checked, faults = check(rows, book)
        if checked.places and isinstance(checked.places[0], str):  # files, which are named by their number
            places = np.arange(number + 1, number + 1 + len(checked.places))
        else:
            places = np.fromiter(checked.places, np.int64, len(checked.places))
        number += len(checked.places)
        labels = checked.labels if any(label is not None for label in checked.labels) else None
        yield Batch(Texts.of(checked.encoded), labels, places, faults)


def _whole(reading: Reading) -> Batch:
    """All of a source as one text."""
    text = "".join(piece for rows in reading.rows for piece in rows.texts)
    faults: list[Fault] = [(1, NUL)] if "\0" in text else []
    return Batch(Texts.of([] if faults else [text]), None, np.ones(1 - len(faults), np.int64), faults)
