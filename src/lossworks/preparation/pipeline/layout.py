"""All chunks in the order of the sources, and their texts numbered through: what the stages after reading work on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...record import read_object
from ...record.files import Fields
from ...record.tensors import map_tensors
from .. import Texts
from .chunks import chunk_path, text_path, weight
from .job import Job

_FEW = 64  # one text in so many, or fewer, is sooner read by itself than with all around it


@dataclass(frozen=True)
class Layout:
    """The chunks of a finished first stage.

    summaries: of each piece. pieces: the piece of each chunk. starts: the number of each chunk's first text [chunks + 1].
    windows: runs of chunks, as first and last + 1.
    """

    job: Job
    summaries: list[Fields]
    paths: list[Path]
    pieces: list[int]
    starts: NDArray[np.int64]
    windows: list[tuple[int, int]]

    @classmethod
    def of(cls, job: Job) -> Layout:
        """The chunks of a preparation whose first stage is done."""
        summaries, paths = list[Fields](), list[Path]()
        pieces, rows, windows = list[int](), [0], [0]
        size = 0
        for number in range(len(job.pieces)):
            summary = read_object(job.work / "read" / f"{number:05}.json")
            summaries.append(summary)
            for place, chunk in enumerate(summary["chunks"]):
                more = weight(chunk["bytes"], chunk["rows"])
                if size and size + more > job.window:
                    windows.append(len(paths))
                    size = 0
                size += more
                paths.append(chunk_path(job.work / "read" / f"{number:05}.json", place))
                pieces.append(number)
                rows.append(chunk["rows"])
        ends = [*windows, len(paths)]
        return cls(job, summaries, paths, pieces, np.cumsum(rows), list(pairwise(ends)))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def chunk(self, number: int) -> dict[str, Any]:
        """The arrays of a chunk, mapped."""
        return _mapped(self.paths[number])[0]

    def chunk_texts(self, number: int, *, scattered: bool = False) -> Texts:
        """The texts of a chunk, mapped; ``scattered``: few of them will be read."""
        return Texts(_mapped(text_path(self.paths[number]), scattered)[0]["text"], self.chunk(number)["offsets"])

    def label_names(self, number: int) -> str | None:
        """The table of a chunk's labels, as JSON; None where its rows have none."""
        return _mapped(self.paths[number])[1].get("labels")

    def span(self, window: int) -> tuple[int, int]:
        """The numbers of a window's texts, first and last + 1."""
        first, last = self.windows[window]
        return int(self.starts[first]), int(self.starts[last])

    def texts(self, rows: NDArray[np.int64]) -> Texts:
        """These texts, in the order asked for."""
        parts, places = [], np.empty(len(rows), np.int64)
        done = 0
        for number, chosen in self._by_chunk(rows):
            local = rows[chosen] - self.starts[number]
            few = len(local) * _FEW < self.starts[number + 1] - self.starts[number]
            parts.append(self.chunk_texts(number, scattered=few).take(local))
            places[chosen] = np.arange(done, done + len(chosen))
            done += len(chosen)
        return Texts.joined(parts).take(places)

    def sizes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many bytes each text has."""
        found = np.empty(len(rows), np.int64)
        for number, chosen in self._by_chunk(rows):
            offsets, local = self.chunk(number)["offsets"], rows[chosen] - self.starts[number]
            found[chosen] = offsets[local + 1] - offsets[local]
        return found

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each text the number of its source, and its line in there."""
        sources, found = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        for number, chosen in self._by_chunk(rows):
            local = self.chunk(number)["places"][rows[chosen] - self.starts[number]]
            sources[chosen], found[chosen] = self.in_source(number, local)
        return sources, found

    def in_source(self, chunk: int, places: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
        """The number of a chunk's source, and its places as lines of that."""
        piece = self.pieces[chunk]
        return self.job.pieces[piece].source, places + self._lines_before[piece]

    @cached_property
    def _lines_before(self) -> list[int]:
        before, found = dict[int, int](), []
        for piece, summary in zip(self.job.pieces, self.summaries, strict=True):
            found.append(before.get(piece.source, 0))
            before[piece.source] = found[-1] + summary["lines"]
        return found

    def _by_chunk(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        chunks = np.searchsorted(self.starts, rows, "right") - 1
        order = np.argsort(chunks, kind="stable")
        numbers, begins = np.unique(chunks[order], return_index=True)
        for number, begin, end in zip(numbers.tolist(), begins, [*begins[1:], len(rows)], strict=False):  # of no rows, one end
            yield number, order[begin:end]


@lru_cache(maxsize=16)
def _mapped(path: Path, scattered: bool = False) -> tuple[dict[str, Any], dict[str, str]]:
    return map_tensors(path, scattered=scattered)
