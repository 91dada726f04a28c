"""Whether a source has room in memory: foretold from its first rows, and looked at again while it is read.

Texts beyond a budget wait on the disk, but some bytes of each row stay, and what is done with the rows takes more of each.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import OutOfMemory
from ..core.memory import available, in_gb
from .corpus import Corpus
from .options import ReadOptions

Beyond = Callable[[float, Sequence[str]], float]
"""Bytes that whoever asked for rows takes, beside what a corpus holds of them, for so many rows such as these."""

_HELD = 28  # bytes of a row beside its text: label, key, place and end
_HASHES = 400  # bytes of a text's: two digests, twenty bands, and what joins, sorts and compares them
_FIRST = 50_000  # rows that are read before more of them are foretold
_MORE = 17 / 16  # times as many rows, and it is looked again
_PARTS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)  # of the rows, that may fit where all do not


def little(rows: float, sample: Sequence[str]) -> float:
    """What nearly everybody takes: numbers of rows and of labels, an order of the rows, and compiled code."""
    return (100 << 20) + 32 * rows


def compared(rows: float, sample: Sequence[str]) -> float:
    """What is taken where texts are looked at side by side: their bytes three times, hashes of them, and what ``little`` is."""
    return little(rows, sample) + rows * (_HASHES + 3 * sum(len(text.encode()) for text in sample) / len(sample))


@dataclass(slots=True)
class Room:
    """Of the files of a source, read one after another into one corpus.

    sizes: of the files, in bytes; 0 where that is not known. budget: bytes of texts that are held in memory.
    """

    source: Any
    sizes: Sequence[int]
    options: ReadOptions
    budget: int
    beyond: Beyond = little
    _next: float = field(default=0.0, init=False)

    def look(self, corpus: Corpus, file: int, before: int, expected: float | None, sample: Sequence[str]) -> None:
        """Refuse the source where it is foretold, or where it is seen now, that memory will not do.

        Args:
            corpus: of the rows that have been read.
            file, before: which file is being read, and how many rows came from those before it.
            expected: how many rows it has; None: not known, so that the rows at hand are counted alone.
            sample: some of them.

        Raises:
            OutOfMemory: with what it would take, what there is, and what to do.
        """
        if len(corpus) < max(self._next, _FIRST):
            return
        self._next = len(corpus) * _MORE
        rows = max(float(len(corpus)), self.rows(file, before, expected) or 0.0)
        held = corpus.held

        def needed(rows: float) -> float:
            return rows * _HELD + min(self.budget, held * rows / len(corpus)) + self.beyond(rows, sample)

        taken = len(corpus) * _HELD + held
        there = available() + taken
        if needed(rows) > there:
            part = next((part for part in _PARTS if needed(part * rows) < 0.8 * there), None)
            raise OutOfMemory(
                f"{corpus.source} does not fit into memory: {self._count(rows, expected)} rows, and what is to be made of them, "
                f"would take about {in_gb(needed(rows))}, and {in_gb(there)} are free. {self._remedy(part)}"
            )

    def rows(self, file: int, before: int, expected: float | None) -> float | None:
        """How many rows all files have, by those at hand; None: that is not known. The arguments are those of ``look``."""
        if expected is None:
            return None
        known = sum(self.sizes[: file + 1])
        return (before + expected) * (sum(self.sizes) / known if known else 1.0)

    def _count(self, rows: float, expected: float | None) -> str:
        return f"about {rows:,.0f}" if expected is not None else f"the first {rows:,.0f}"

    def _remedy(self, part: float | None) -> str:
        read = self.options
        apart = read.weight is None and read.language is None and not read.triples and read.texts != "file"
        if part is None or not isinstance(self.source, str | os.PathLike) or self.source == "-" or not apart:
            return "Give fewer rows, or use a machine with more memory."
        name = shlex.quote(os.fspath(self.source))
        return (
            f"A random {part:.0%} would fit: `lossworks data prepare {name} --out part --near 0 --valid {part:g}`, with the same "
            "--text, --label and --format as here, and then part/valid in its place."
        )


def sizes_of(files: Sequence[Any]) -> list[int]:
    """Bytes of each file; 0 of what is none."""
    return [os.path.getsize(file) if isinstance(file, str) and os.path.isfile(file) else 0 for file in files]
