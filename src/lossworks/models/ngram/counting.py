"""The n-grams of texts: places divided into buckets by their first words, each bucket counted by itself, the results joined.

In memory a bucket is some places in the array of all tokens. Beyond a budget the tokens that follow each place go to a file a
bucket, in one pass over the texts, and a bucket is read when its turn comes. Either way the k-grams of order 2 and more that
begin with a bucket's words are all in it, so the buckets, one after another, are the trie; threads work on different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core import threads
from ...data import Ragged
from ...tokens import Vocabulary
from .codes import coded, narrowest
from .columns import Column, Piece, keep
from .positions import lay_out, length
from .scanning import A_PLACE, FEW, Nodes, Way, scan
from .spilling import Waiting, spilled

PLACES = 1 << 20
"""About how many places a bucket has in memory: few enough to share the work, many enough to sort at once."""


@dataclass(slots=True)
class CountedLevel:
    """The k-grams of one order, k >= 2, as in ``Nodes``; ``counts`` is [codes], ``contexts`` [codes, 5]."""

    word: Column
    children: Column
    count: Column
    context: Column
    counts: NDArray[np.int64]
    contexts: NDArray[np.int64]


@dataclass(slots=True)
class Counted:
    """What was counted.

    counts: of each word of the vocabulary, [V].
    first: of each word what it is as a context, (Σ count, N1, N2, N3+, Σ count of the pruned, children), [V, 6].
    levels: the k-grams of order 2 and more.
    of_counts: how many k-grams of each order were counted 0 to 4 times, and all of them, before pruning, [order + 1, 6].
    """

    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    levels: list[CountedLevel]
    of_counts: NDArray[np.int64]


def needed(total: int, kind: Any, order: int) -> int:
    """Bytes that counting so many tokens in memory takes."""
    return total * (int(np.dtype(kind).itemsize) + int(A_PLACE) * order)


def count(
    texts: Ragged,
    vocabulary: Vocabulary,
    way: Way,
    *,
    ends: bool,
    memory: int | None,
    scratch: Path | None,
    tell: Callable[[int, int], None],
) -> Counted:
    """Count the n-grams of ``texts``, in files of ``scratch`` where ``memory`` bytes are too few. ``tell(done, all)`` is told
    places.
    """
    kind = np.uint16 if vocabulary.size <= 1 << 16 else np.uint32
    total = length(texts, ends)
    if memory is None or scratch is None or needed(total, kind, way.order) <= memory:
        # one more before, and `order` after: all places have neighbours
        marked = np.full(total + way.order + 2, vocabulary.start, kind)
        lay_out(texts, vocabulary, ends, 0, marked[1 : total + 1], np.empty(total, np.uint8), 1)
        return _join(_in_memory(marked, total, way), total, way, None, tell)
    return _join(spilled(texts, vocabulary, way, kind, ends, memory, scratch), total, way, scratch, tell)


def _in_memory(marked: NDArray[Any], total: int, way: Way) -> list[Waiting]:
    """The buckets: some words each, as many as have about ``PLACES`` places."""
    occurs = np.bincount(marked[1 : total + 1], minlength=way.size)
    of_word = (np.cumsum(occurs) - occurs) // PLACES
    places = np.empty(total, np.uint32 if total < 1 << 32 else np.int64)
    stops = np.cumsum(np.bincount(of_word, occurs).astype(np.int64))
    _divide(marked, total, of_word, np.concatenate(([0], stops[:-1])), places)
    bounds = zip([0, *stops[:-1].tolist()], stops.tolist(), strict=True)
    return [(high - low, lambda low=low, high=high: (marked, places[low:high])) for low, high in bounds if low < high]  # type: ignore[misc]


@njit(cache=True, nogil=True)
def _divide(marked, total, of_word, at, places):  # type: ignore[no-untyped-def]
    for place in range(1, total + 1):
        bucket = of_word[marked[place]]
        places[at[bucket]] = place
        at[bucket] += 1


def _join(buckets: list[Waiting], total: int, way: Way, folder: Path | None, tell: Callable[[int, int], None]) -> Counted:
    """Count bucket by bucket, the largest first so that no thread waits long for the last, and put the results together."""
    kept: dict[int, list[_Kept]] = {}
    left, raw = np.zeros(way.size, np.int64), np.zeros(way.size, np.int64)
    first, of_counts = np.zeros((way.size, 6), np.int64), np.zeros((way.order + 1, FEW + 1), np.int64)
    done, lock = [0], Lock()
    waiting = iter(sorted(range(len(buckets)), key=lambda number: buckets[number][0], reverse=True))

    def work(part: int, parts: int) -> None:
        for number in waiting:  # each is handed to one thread
            tokens, places = buckets[number][1]()
            bucket = scan(tokens, places, way)
            kept[number] = [_keep(nodes, folder, f"{number}-{k}") for k, nodes in enumerate(bucket.levels, 2)]
            with lock:
                for sums, more in ((left, bucket.left), (raw, bucket.raw), (first, bucket.first), (of_counts, bucket.of_counts)):
                    sums += more
                done[0] += len(places)
                tell(done[0], total)

    threads.share(work, total)
    counts = raw if way.raw or way.order == 1 else left
    counts[way.start] = 0  # it is never predicted
    of_counts[1] = np.array([np.count_nonzero(counts == few) for few in range(FEW)] + [way.size])
    levels = [_joined([kept[number][k] for number in range(len(buckets))]) for k in range(way.order - 1)]
    return Counted(counts, first, levels, of_counts)


@dataclass(slots=True)
class _Kept:
    """``Nodes`` of which the long columns are put away."""

    size: int
    columns: dict[str, tuple[Any, Piece]]
    counts: NDArray[np.uint32]
    contexts: NDArray[np.uint32]


def _keep(nodes: Nodes, folder: Path | None, name: str) -> _Kept:
    long = {each: getattr(nodes, each) for each in ("word", "children", "count", "context")}
    columns = {each: (array.dtype, keep(array, folder, f"{name}-{each}")) for each, array in long.items()}
    return _Kept(len(nodes.word), columns, nodes.counts, nodes.contexts)


def _joined(parts: list[_Kept]) -> CountedLevel:
    """Buckets' nodes of one order as one, with codes that are common to all."""
    size = sum(part.size for part in parts)
    plain = [None] * len(parts)

    def column(name: str, dtype: Any, meanings: Sequence[NDArray[Any] | None]) -> Column:
        return Column(size, dtype, [part.columns[name][1] for part in parts], meanings)

    def recoded(tables: list[NDArray[np.uint32]]) -> tuple[list[NDArray[Any] | None], NDArray[np.uint32]]:
        codes, table = coded(np.concatenate(tables))
        return list(np.split(codes, np.cumsum([len(each) for each in tables])[:-1])), table

    count, counts = recoded([part.counts for part in parts])
    context, contexts = recoded([part.contexts for part in parts])
    children = np.result_type(*(part.columns["children"][0] for part in parts))
    return CountedLevel(
        column("word", parts[0].columns["word"][0], plain),
        column("children", children, plain),
        column("count", narrowest(len(counts)), count),
        column("context", narrowest(len(contexts)), context),
        counts[:, 0].astype(np.int64),
        contexts.astype(np.int64),
    )
