"""Leaving out n-grams that the model can do without: those whose loss changes its distributions least.

Source: Stolcke 1998, "Entropy-based pruning of backoff language models", arXiv:cs/0006025; here for interpolated models, where
what an n-gram had goes to its context's weight of shorter ones, and every distribution still sums to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tokens import Vocabulary
from .codes import coded
from .placing import to_children
from .trie import Level, Trie

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def prune(trie: Trie, vocabulary: Vocabulary, threshold: float) -> Trie:
    """The trie without the n-grams of two words and more whose removal, each by itself, changes it by less than ``threshold``.

    By how much: the relative entropy of the distributions before and after, in nats, weighted by the context's probability. What
    other n-grams of the context gain is taken to first order. An n-gram stays that is the context or the end of one that stays.
    """
    known = _known(trie, vocabulary)
    levels = list(trie.levels)
    needed: NDArray[np.bool_] | None = None  # as the end of a longer one
    for k in range(trie.order, 1, -1):
        above, level, here = levels[k - 1], levels[k], known[k]
        change = _change(above, known[k - 1], here)
        keep = change >= threshold
        if needed is not None:
            assert level.begin is not None
            keep |= needed | (_sizes(level.begin) > 0)
        needed = np.zeros(len(known[k - 1].p), np.bool_)
        needed[here.end[keep]] = True
        levels[k - 1], levels[k] = _without(above, level, here, keep)
    return Trie(levels, trie.flat)


@dataclass(slots=True)
class _Known:
    """Of each k-gram: the places of its context and its end (itself without its first word), its probability, the log-probability
    of all its words, and the part of its probability that is not the end's.
    """

    context: Places
    end: Places
    p: Floats
    log_whole: Floats
    own: Floats


def _known(trie: Trie, vocabulary: Vocabulary) -> list[_Known]:
    root, first = trie.levels[0], trie.levels[1]
    nothing = np.zeros(vocabulary.size, np.int64)
    own = _table(first.mass, first.count) / _table(root.total, root.context)[0]
    p = own + _table(root.backoff, root.context)[0] / (vocabulary.size - 1)
    whole = p.copy()
    whole[vocabulary.start] = p[vocabulary.end]  # as many texts begin as end
    empty = _Known(nothing[:1], nothing[:1], np.ones(1), np.zeros(1), np.ones(1))
    known = [empty, _Known(nothing, nothing, p, np.log(whole), own)]
    for k in range(2, trie.order + 1):
        above, level, shorter = trie.levels[k - 1], trie.levels[k], known[k - 1]
        assert above.begin is not None
        assert level.word is not None
        context = np.repeat(np.arange(len(shorter.p)), _sizes(above.begin))
        ends = level.word.astype(np.int64)
        if k > 2:
            ends = shorter.end[context]
            to_children(ends, level.word, trie.levels[k - 2], above)
        own = _table(level.mass, level.count) / _table(above.total, above.context)[context]
        p = own + _table(above.backoff, above.context)[context] * shorter.p[ends]
        known.append(_Known(context, ends, p, shorter.log_whole[context] + np.log(p), own))
    return known


def _sizes(begin: NDArray[Any]) -> Places:
    """How many there are from each beginning to the next."""
    sizes: Places = np.diff(begin.astype(np.int64)).astype(np.int64)
    return sizes


def _table(table: Floats | None, codes: NDArray[Any] | None) -> Floats:
    """The numbers that codes stand for."""
    assert table is not None
    values: Floats = table[codes]
    return values


def _change(above: Level, contexts: _Known, here: _Known) -> Floats:
    """By how much the model changes without each n-gram: weighted relative entropy."""
    weight = _table(above.backoff, above.context)[here.context]
    shorter = contexts.p[here.end]
    others = np.bincount(here.context, shorter, len(contexts.p))[here.context]  # Σ p_{k-1} of all n-grams of the context
    after = weight + here.own
    itself = here.p * np.log(here.p / (after * shorter))
    rest = np.maximum(1 - others, 0) * weight * np.log(weight / after, where=weight > 0, out=np.zeros_like(weight))
    change: Floats = np.exp(contexts.log_whole[here.context]) * (itself - here.own * (others - shorter) + rest)
    return change


def _without(above: Level, level: Level, here: _Known, keep: NDArray[np.bool_]) -> tuple[Level, Level]:
    """Contexts and their n-grams with only some of these; contexts have what the others had."""
    assert above.begin is not None
    size = len(above.begin) - 1
    freed = np.bincount(here.context[~keep], here.own[~keep], size)
    pairs = np.stack([_table(above.total, above.context), _table(above.backoff, above.context) + freed], 1)
    codes, rows = coded(np.ascontiguousarray(pairs).view(np.uint32))
    total, backoff = rows.view(np.float64).T
    begin = np.concatenate(([0], np.cumsum(np.bincount(here.context[keep], minlength=size)))).astype(above.begin.dtype)
    above = replace(above, begin=begin, context=codes, total=total.copy(), backoff=backoff.copy())
    kept = {name: array[keep] for name in ("word", "count", "context") if (array := getattr(level, name)) is not None}
    if level.begin is not None:
        sizes = _sizes(level.begin)[keep]
        kept["begin"] = np.concatenate(([0], np.cumsum(sizes))).astype(level.begin.dtype)
    return above, replace(level, **kept)
