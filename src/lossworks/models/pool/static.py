"""A mixture of n-gram models as one n-gram model, as SRILM's static interpolation makes it (Stolcke 2002, ICSLP)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ..ngram import NgramModel
from ..ngram.placing import Rows, add_level, backed_off, find, last_of, rows_of, unigrams
from ..ngram.query import Query
from ..ngram.trie import Trie
from .model import PoolModel

_LOG_0 = -99.0  # log10 of 0
_NOTHING = 1e-9  # a weight that a source may as well not have


def interpolated(pool: PoolModel) -> NgramModel:
    """One model with the n-grams of all sources. Each n-gram in it is as probable as in the mixture; what backs off, goes by the
    weights that make each context's probabilities sum to one, which a mixture need not do in the same way.

    Raises:
        UsageError: a source is no n-gram model, or the weights are no mixture's, or depend on the context.
    """
    used = np.flatnonzero(pool.rule.weights > _NOTHING)
    sources = [source for source in (pool.sources[number] for number in used) if isinstance(source, NgramModel)]
    if len(sources) < len(used) or pool.rule.kind != "linear" or pool.rule.slopes is not None:
        raise UsageError("an ARPA file holds n-grams: of pools, a linear one of n-gram models alone, the same in every context.")
    weights = pool.rule.weights[used] / pool.rule.weights[used].sum()
    words = np.arange(pool.vocabulary.size, dtype=np.uint32)[:, None]
    levels = unigrams(_log10(_mixed(sources, weights, words)), None)
    for k in range(2, max(source.order for source in sources) + 1):
        every = [rows_of(source.trie, k, 0, source.trie.size(k)) for source in sources if source.order >= k]
        rows = np.unique(np.concatenate(every), axis=0)
        p, context = _mixed(sources, weights, rows), find(levels, rows[:, :-1])
        _, shorter = last_of(Query(Trie(levels), pool.vocabulary), rows[:, 1:], k - 1)
        count = Trie(levels).size(k - 1)
        left, below = (1 - np.bincount(context, each, count) for each in (p, 10.0**shorter))
        backed_off(levels[-1], _log10(np.maximum(left, 0) / np.maximum(below, 1e-12)))
        add_level(levels, rows, _log10(p), None)
    return NgramModel(Trie(levels), pool.vocabulary, ends=pool.ends)


def _mixed(sources: list[NgramModel], weights: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """The mixture's probability of each row's last word after the others."""
    total = np.zeros(len(rows))
    for source, weight in zip(sources, weights, strict=True):
        _, p = last_of(source.query, rows[:, -source.order :], min(rows.shape[1], source.order))
        total += weight * (10.0**p if source.query.valued else p)
    return total


def _log10(p: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(p), _LOG_0).astype(np.float32)
