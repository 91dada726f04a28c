"""What an n-gram model would say of texts if it were trained without one of its rows, for every row, from its counts.

Without a row some counts fall (``removal.py``); with them change what contexts are told by, and how many n-grams were counted how
often, which all discounts are made of. The probabilities follow by ``smoothing.py`` as in training: for many rows at once, and
from no other counts than those that the texts ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...data import Ragged
from .model import NgramModel
from .positions import stretches
from .query import Places, Query
from .removal import Falls, Longs, blocks, check_amount, falls, trainable
from .scanning import FEW
from .smoothing import Smoothing

_POSITIONS = 1 << 12  # of texts at once
_CELLS = 1 << 17  # rows times positions at once: few enough to stay in the cache
_CODES = 1 << 20  # n-grams of a level at once

Floats = NDArray[np.float64]


def change_without_each(model: NgramModel, smoothing: Smoothing, training: Ragged, texts: Ragged) -> Floats:
    """How much log p of each text would rise, in nats, if the model were trained without each row: [texts, rows].

    The vocabulary stays as it is. nan where no model can be trained without the row, as no other has tokens or is as long as the
    order, and where a text is impossible both ways.

    Args:
        model: unpruned, with counts.
        smoothing: the method it was trained with; what that has learned is replaced.
        training: all rows it was trained on; may be mapped from a file.
        texts: as ``model.logp`` takes them. Time grows with their positions times the rows; memory, but for the result, does not.

    Raises:
        UsageError: the rows are not those that the model was trained on, or a token is not in the vocabulary.
    """
    few, counted = _counts_of_counts(model.query)
    check_amount(model, training, counted)
    change = np.zeros((len(texts), len(training)))
    for asked, text in _pieces(model, texts):
        starts = np.flatnonzero(np.diff(text, prepend=-1))
        before = asked.logp(smoothing, few, None, 1)
        for first, last in blocks(training, max(_CELLS // len(text), 1)):
            after = asked.logp(smoothing, few, falls(model, training, first, last, smoothing.raw), last - first)
            with np.errstate(invalid="ignore"):  # two impossible ones
                change[text[starts], first:last] += np.add.reduceat(after - before, starts, axis=1).T
    change[:, ~trainable(model, training)] = np.nan
    return change


@dataclass(slots=True)
class _Asked:
    """What some positions of texts ask of a model.

    nodes: for each level, ascending, the places of the n-grams asked for; -1 stands for all that are not there.
    here, before: for each position, which node is the k-gram that ends there, and which the one that ends before it.
    counts, contexts: of each level's nodes, [nodes], and [nodes, 5] as ``smoothing.py`` has it.
    uniform: p_0 of each position.
    """

    query: Query
    nodes: list[Longs]
    here: list[Longs]
    before: list[Longs]
    counts: list[Longs]
    contexts: list[Longs]
    uniform: Floats

    def logp(self, smoothing: Smoothing, few: Longs, fallen: list[Falls] | None, rows: int) -> Floats:
        """Log p of each position, [rows, positions], without each of ``rows`` rows by what then falls; None: with all.

        few: how many k-grams were counted 0 to 4 times, and all, [order + 1, 6].
        """
        words = len(self.query.unigrams) - 1  # all but the start of a text
        p = np.broadcast_to(self.uniform, (rows, len(self.uniform)))
        there = np.ones((rows, 1), np.bool_)
        for k in range(1, self.query.order + 1):
            fall = None if fallen is None else fallen[k - 1]
            smoothing.take(_fewer(few[k], fall, rows), k)
            total, backoff = smoothing.context(self._contexts(k - 1, fall, rows), k, words)
            counts = self._counts(k, fall, rows)
            context = self.before[k - 1]
            said = smoothing.mass(counts, k)[:, self.here[k]] / total[:, context]
            said += backoff[:, context] * (self.uniform if self.query.flat else p)
            p = np.where(there[:, context], said, p)
            there = counts > 0 if k > 1 else np.ones(counts.shape, np.bool_)  # every single word is
        with np.errstate(divide="ignore"):
            return np.log(p)

    def _counts(self, k: int, fall: Falls | None, rows: int) -> Longs:
        """Of level k, [rows, nodes]."""
        counts = np.tile(self.counts[k], (rows, 1))
        if fall is not None:
            which, node = _among(self.nodes[k], fall.place)
            counts[fall.row[which], node] = fall.new[which]
        return counts

    def _contexts(self, k: int, fall: Falls | None, rows: int) -> Longs:
        """Of level k, whose followers' counts fall, [rows, nodes, 5]."""
        contexts = np.tile(self.contexts[k], (rows, 1, 1))
        if fall is not None:
            which, node = _among(self.nodes[k], fall.context)
            old, new = fall.old[which], fall.new[which]
            cells, first = contexts.reshape(-1), (fall.row[which] * len(self.nodes[k]) + node) * 5
            np.add.at(cells, first, new - old)
            np.add.at(cells, first + np.minimum(old, 3), -1)
            np.add.at(cells, first + np.minimum(new, 3), new > 0)
        return contexts


def _among(nodes: Longs, places: Longs) -> tuple[Longs, Longs]:
    """Which of ``places`` are nodes, and which nodes they are."""
    node = np.minimum(np.searchsorted(nodes, places), len(nodes) - 1)
    which = np.flatnonzero(nodes[node] == places)
    return which, node[which]


def _fewer(few: Longs, fall: Falls | None, rows: int) -> Longs:
    """Counts of counts of one order, [rows, 6]."""
    counts = np.tile(few, (rows, 1))
    if fall is not None:
        for each, step in ((fall.old, -1), (fall.new, 1)):
            which = each < FEW
            np.add.at(counts.reshape(-1), fall.row[which] * (FEW + 1) + each[which], step)
    return counts


def _pieces(model: NgramModel, texts: Ragged) -> Iterator[tuple[_Asked, Longs]]:
    """What texts ask, some positions at a time, with the number of the text that each position is of."""
    text, done = np.repeat(np.arange(len(texts)), np.diff(texts.offsets) + model.ends), 0
    for tokens, depth, again in stretches(texts, model.vocabulary, model.ends, max(model.order - 1, 1)):
        places, _ = model.query.walk(tokens, depth, model.order)
        predicted = np.flatnonzero(depth[again:]) + again
        for first in range(0, len(predicted), _POSITIONS):
            at = predicted[first : first + _POSITIONS]
            yield _asked(model, places, at), text[done : done + len(at)]
            done += len(at)


def _asked(model: NgramModel, places: Places, at: Longs) -> _Asked:
    query = model.query
    asked = _Asked(query, [], [], [], [], [], np.where(places[1][at] == model.vocabulary.start, 0.0, query.uniform))
    for k, place in enumerate(places):
        nodes, number = np.unique(np.concatenate((place[at], place[at - 1])), return_inverse=True)
        there = nodes >= 0
        counts, contexts = np.zeros(len(nodes), np.int64), np.zeros((len(nodes), 5), np.int64)
        if k > 0:
            counts[there] = query.look_up(k, "count", "counts", nodes[there])
        if k < query.order:
            contexts[there] = _followed(query, k, nodes[there])
        asked.nodes.append(nodes)
        asked.here.append(number[: len(at)])
        asked.before.append(number[len(at) :])
        asked.counts.append(counts)
        asked.contexts.append(contexts)
    return asked


def _followed(query: Query, k: int, places: Longs) -> Longs:
    """What k-grams are as contexts, [n, 5]: Σ count, N1, N2, N3+ of what follows each, and of what was pruned, 0."""
    after = query.levels[k + 1]
    contexts = np.zeros((len(places), 5), np.int64)
    if not _sum_up(places, query.levels[k].begin, after.count, after.counts, contexts):
        raise query.damaged(k + 1)
    return contexts


@njit(cache=True, nogil=True)
def _sum_up(places, begin, count, counts, contexts):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        end = np.int64(begin[places[i] + 1])
        if end > len(count):
            return False
        for child in range(np.int64(begin[places[i]]), end):
            if count[child] >= len(counts):
                return False
            often = counts[count[child]]
            contexts[i, 0] += often
            if often > 0:
                contexts[i, min(often, 3)] += 1
    return True


def _counts_of_counts(query: Query) -> tuple[Longs, int]:
    """How many k-grams were counted 0 to 4 times, and all, [order + 1, 6]; and the sum of the counts of the highest order."""
    few, whole = np.zeros((query.order + 1, FEW + 1), np.int64), 0
    for k in range(1, query.order + 1):
        codes = query.levels[k].count
        assert codes is not None
        few[k, FEW], whole = len(codes), 0
        for first in range(0, len(codes), _CODES):
            counts = query.look_up(k, "count", "counts", np.arange(first, min(first + _CODES, len(codes))))
            few[k, :FEW] += np.bincount(counts[counts < FEW], minlength=FEW)
            whole += int(counts.sum())
    return few, whole
