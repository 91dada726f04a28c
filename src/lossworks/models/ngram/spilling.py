"""Counting beyond memory: what follows each place of the texts, in one file for each bucket of first words.

The texts are read in blocks, twice: to see how often words begin a place, and to write places to the files. A word that begins
more places than a bucket may hold is divided among several by the word that follows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core import threads
from ...core.errors import UsageError
from ...data import Ragged
from ...record.files import unwritable
from ...record.tensors import forget
from ...tokens import Vocabulary
from .positions import lay_out, length
from .scanning import A_PLACE, Way

_BLOCK = 1 << 21  # tokens read at once
_PROCESS = 400 << 20  # bytes that Python, compiled code, and blocks on their way take
_FEWEST = 1 << 16  # places a bucket should have room for

Places = tuple[NDArray[Any], NDArray[Any]]
"""Tokens, and places in them."""
Waiting = tuple[int, Callable[[], Places]]
"""A bucket whose turn has not come: a number that grows with its places, and what gives them."""


def spilled(texts: Ragged, vocabulary: Vocabulary, way: Way, kind: Any, ends: bool, memory: int, scratch: Path) -> list[Waiting]:
    """The buckets' tokens and places, to be read when their turn comes; ``memory`` is shared by as many as there are threads.

    Raises:
        UsageError: ``memory`` is too little to work in.
        RecordError: ``scratch`` is full.
    """
    limit = (memory - _PROCESS) // (threads.available() * (A_PLACE * way.order + 2 * np.dtype(kind).itemsize * way.order))
    if limit < _FEWEST:
        least = _PROCESS + (_FEWEST * threads.available() * (A_PLACE + 8) * way.order)
        raise UsageError(f"memory is {memory / 2**20:,.0f} MB; counting needs {least / 2**20:,.0f} MB or more.")
    division = _divided(texts, vocabulary, way, kind, ends, limit)
    files = [scratch / f"places-{number}" for number in range(division.buckets)]
    try:
        for file in files:
            file.unlink(missing_ok=True)
        for tokens, count in _windows(texts, vocabulary, way.order, kind, ends):
            _write(tokens, count, way.order, division, files)
    except OSError as error:
        raise unwritable(scratch, error) from error
    written = [file for file in files if file.exists()]
    return [(file.stat().st_size, lambda file=file: _read(file, kind, way.order)) for file in written]  # type: ignore[misc]


def _read(file: Path, kind: Any, order: int) -> Places:
    tokens = np.fromfile(file, kind)
    file.unlink()
    return tokens, np.arange(1, len(tokens), order + 1, dtype=np.int64)


@dataclass(slots=True)
class _Division:
    """The bucket of each first word [V]; for those that are divided, minus one minus the row of ``by_second`` [rows, V]."""

    of_word: NDArray[np.int64]
    by_second: NDArray[np.int64]
    buckets: int


def _divided(texts: Ragged, vocabulary: Vocabulary, way: Way, kind: Any, ends: bool, limit: int) -> _Division:
    """Buckets of about ``limit`` places, in the order of their words."""
    occurs = np.zeros(way.size, np.int64)
    for tokens, count in _windows(texts, vocabulary, way.order, kind, ends):
        occurs += np.bincount(tokens[1 : count + 1], minlength=way.size)
    heavy = np.flatnonzero(occurs > limit)
    row = np.full(way.size, -1)
    row[heavy] = np.arange(len(heavy))
    pairs = np.zeros((len(heavy), way.size), np.int64)
    if len(heavy):
        for tokens, count in _windows(texts, vocabulary, way.order, kind, ends):
            _count_pairs(tokens, count, row, pairs)
    of_word, by_second = np.zeros(way.size, np.int64), np.zeros_like(pairs)
    bucket, held = 0, 0
    for word in range(way.size):
        for second, more in enumerate(pairs[row[word]].tolist()) if row[word] >= 0 else [(-1, int(occurs[word]))]:
            if held and held + more > limit:
                bucket, held = bucket + 1, 0
            held += more
            if second >= 0:
                by_second[row[word], second] = bucket
        of_word[word] = bucket if row[word] < 0 else -1 - row[word]
    return _Division(of_word, by_second, bucket + 1)


@njit(cache=True, nogil=True)
def _count_pairs(tokens, count, row, pairs):  # type: ignore[no-untyped-def]
    for place in range(1, count + 1):
        if row[tokens[place]] >= 0:
            pairs[row[tokens[place]], tokens[place + 1]] += 1


def _write(tokens: NDArray[Any], count: int, order: int, division: _Division, files: list[Path]) -> None:
    """Append what follows places 1 to ``count``, with the token before, to the files of their buckets."""
    windows = np.empty((count, order + 1), tokens.dtype)
    stops = np.zeros(division.buckets, np.int64)
    _sort(tokens, count, division.of_word, division.by_second, stops, windows)
    for file, start, stop in zip(files, [0, *stops[:-1]], stops, strict=True):
        if start < stop:
            with file.open("ab") as out:
                out.write(windows[start:stop].data)


@njit(cache=True, nogil=True)
def _sort(tokens, count, of_word, by_second, stops, windows):  # type: ignore[no-untyped-def]
    buckets = np.empty(count, np.int64)
    for place in range(1, count + 1):
        bucket = of_word[tokens[place]]
        bucket = bucket if bucket >= 0 else by_second[-1 - bucket, tokens[place + 1]]
        buckets[place - 1] = bucket
        stops[bucket] += 1
    total = 0
    for bucket in range(len(stops)):
        total, stops[bucket] = total + stops[bucket], total
    for place in range(1, count + 1):
        bucket = buckets[place - 1]
        windows[stops[bucket]] = tokens[place - 1 : place + windows.shape[1] - 1]
        stops[bucket] += 1


def _windows(texts: Ragged, vocabulary: Vocabulary, order: int, kind: Any, ends: bool) -> Iterator[tuple[NDArray[Any], int]]:
    """Blocks of marked tokens and how many places each has, from 1 on: one token stands before them, ``order`` after."""
    held = np.array([vocabulary.start], kind)
    padding = np.full(order + 1, vocabulary.start, kind)
    for block in itertools.chain(_marked(texts, vocabulary, kind, ends), [padding]):
        tokens = np.concatenate((held, block))
        count = max(len(tokens) - 1 - order, 0)
        if count:
            yield tokens, count
        held = tokens[count:]


def _marked(texts: Ragged, vocabulary: Vocabulary, kind: Any, ends: bool) -> Iterator[NDArray[Any]]:
    """The tokens of all texts with their special tokens, block by block."""
    total, depth = length(texts, ends), np.empty(_BLOCK, np.uint8)
    for begin in range(0, total, _BLOCK):
        tokens = np.empty(min(_BLOCK, total - begin), kind)
        lay_out(texts, vocabulary, ends, begin, tokens, depth, 1)
        forget(texts.ids)
        yield tokens
