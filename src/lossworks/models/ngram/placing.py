"""N-grams with their probabilities and backoffs, in any order, to the levels of a trie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...core.threads import share
from ...tokens import Vocabulary
from .query import Query
from .trie import Level, Trie

Rows = NDArray[np.uint32]
Numbers = NDArray[np.float32]


class DuplicateError(Exception):
    """The n-grams of two rows are the same. ``rows``: these two."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first, second)
        self.rows = first, second


def unigrams(prob: Numbers, backoff: Numbers | None) -> list[Level]:
    """Levels 0 and 1 from log10 probabilities and backoffs of every word; no backoffs where it is the highest order."""
    begin = np.array([0, len(prob)], np.uint32)
    root = Level(begin=begin, context=np.zeros(1, np.uint8), backoff=np.ones(1))
    return [root, backed_off(Level(prob=prob), backoff)]


def add_level(levels: list[Level], rows: Rows, prob: Numbers, backoff: Numbers | None) -> None:
    """Put the k-grams ``rows`` [n, k] on top of the levels up to k - 1; contexts that are missing there are put in too.

    A context that is put in gets the probability that the shorter ones gave it, so that nothing changes by it.

    Raises:
        DuplicateError: two rows are the same.
    """
    contexts = find(levels, rows[:, :-1])
    if len(missing := np.flatnonzero(contexts < 0)):
        _put_in(levels, np.unique(rows[missing, :-1], axis=0))
        contexts = find(levels, rows[:, :-1])
    above, words = levels[-1], Trie(levels).size(1)
    key = contexts * words + rows[:, -1]
    children = np.bincount(contexts, minlength=Trie(levels).size(len(levels) - 1))
    above.begin = np.append(0, np.cumsum(children)).astype(np.uint32 if len(rows) < 1 << 32 else np.uint64)
    if (key[1:] <= key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key = key[order]
        if len(same := np.flatnonzero(key[1:] == key[:-1])):
            raise DuplicateError(int(order[same[0]]), int(order[same[0] + 1]))
        rows, prob, backoff = rows[order, -1:], prob[order], None if backoff is None else backoff[order]
    word = np.ascontiguousarray(rows[:, -1]).astype(np.min_scalar_type(words - 1))
    levels.append(backed_off(Level(word=word, prob=prob), backoff))


def rows_of(trie: Trie, k: int, first: int, last: int) -> Rows:
    """The words of the k-grams ``first`` to ``last`` of a trie, [last - first, k]."""
    rows = np.empty((last - first, k), np.uint32)
    places = np.arange(first, last)
    for j in range(k, 1, -1):
        rows[:, j - 1] = trie.levels[j].word[places]  # type: ignore[index]
        _to_contexts(trie.levels[j - 1].begin, places)
    rows[:, 0] = places
    return rows


def last_of(query: Query, rows: Rows, top: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each row's last word after the others, p_top; and the place of the row without it, which has ``top`` words or fewer."""
    count, k = rows.shape
    depth = np.tile(np.arange(k, dtype=np.uint8), count)
    places, p = query.walk(rows.reshape(-1), depth, top)
    context = places[k - 1].reshape(count, k)[:, k - 2] if k > 1 else np.zeros(count, np.int64)
    return context, p.reshape(count, k)[:, -1]


@np.errstate(divide="ignore")  # a backoff may be 0
def _put_in(levels: list[Level], rows: Rows) -> None:
    """Put rows into the highest level, with the probabilities that backing off gives them, and no backoff of their own."""
    top, count = levels.pop(), len(rows)
    k = rows.shape[1]
    whole = Trie([*levels, top])
    old = rows_of(whole, k, 0, whole.size(k))
    log10 = np.log10(top.backoff[top.context]).astype(np.float32)  # type: ignore[index]
    nothing = np.zeros(count, np.float32)
    add_level(levels, np.concatenate([old, rows]), np.concatenate([top.prob, nothing]), np.concatenate([log10, nothing]))
    query = Query(Trie(levels[:-1]), Vocabulary(whole.size(1)))
    context, p = last_of(query, rows, k - 1)
    prob = levels[-1].prob
    assert prob is not None
    prob[find(levels, rows)] = p + np.log10(query.backoff(k - 1, context))


def backed_off(level: Level, backoff: Numbers | None) -> Level:
    """The level with its log10 backoffs as a table and codes."""
    if backoff is not None:
        values, codes = np.unique(np.append(backoff, np.float32(0)), return_inverse=True)  # never an empty table
        level.backoff = 10.0 ** values.astype(np.float64)
        level.context = codes[:-1].astype(np.min_scalar_type(len(values) - 1))
    return level


def find(levels: list[Level], rows: Rows) -> NDArray[np.int64]:
    """The place of each row in its level; -1 where it is not there."""
    places = rows[:, 0].astype(np.int64)
    for j in range(1, rows.shape[1]):
        to_children(places, rows[:, j], levels[j], levels[j + 1])
    return places


def to_children(places: NDArray[np.int64], words: NDArray[Any], above: Level, level: Level) -> None:
    """Replace each place in ``above`` by that of its child in ``level``; by -1 where it has none by that word."""
    share(_children, len(places), places, words, above.begin, level.word)


@njit(cache=True, nogil=True)
def _children(part, parts, places, words, begin, word):  # type: ignore[no-untyped-def]
    for i in range(len(places) * part // parts, len(places) * (part + 1) // parts):
        if places[i] < 0:
            continue
        low, end = np.int64(begin[places[i]]), np.int64(begin[places[i] + 1])
        while end - low > 1:
            middle = (low + end) // 2
            if word[middle] <= words[i]:
                low = middle
            else:
                end = middle
        places[i] = low if end > low and word[low] == words[i] else -1


@njit(cache=True, nogil=True)
def _to_contexts(begin, places):  # type: ignore[no-untyped-def]
    """Replace each of ascending places by that of its context."""
    context = np.searchsorted(begin, places[0], side="right") - 1 if len(places) else 0
    for i in range(len(places)):
        while begin[context + 1] <= places[i]:
            context += 1
        places[i] = context
