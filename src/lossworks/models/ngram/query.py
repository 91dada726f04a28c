"""Looking n-grams up: for many places of a text at once, order by order.

The k-gram that ends at a place is a child of the (k-1)-gram that ends one place before. So one pass an order finds all of them,
and no look-up waits for another in the same pass: the processor works on several at once while their memory is on its way.
Numbers read from a file are never trusted to lie within an array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .trie import Level, Trie

NOWHERE = -1
_NAT = np.log(10.0)


def first(trie: Trie) -> NDArray[np.float64]:
    """Probability of each word by itself, [V]; 0 for the start of a text."""
    level, root = trie.levels[1], trie.levels[0]
    if level.prob is not None:
        return np.where(trie.uniform > 0, np.exp(level.prob.astype(np.float64) * _NAT), 0.0)
    assert level.mass is not None
    assert root.total is not None
    assert root.backoff is not None
    p: NDArray[np.float64] = level.mass[level.count] / root.total[0] + root.backoff[0] * trie.uniform
    return p


def children(level: Level, above: Level, contexts: NDArray[np.int64], words: NDArray[Any]) -> NDArray[np.int64]:
    """The place of each (context, word) in ``level``; contexts are places in the level ``above``. NOWHERE where it is not
    there.
    """
    found = np.empty(len(words), np.int64)
    _children(level.word, above.begin, contexts, words, found)
    return found


def add(trie: Trie, k: int, contexts: NDArray[np.int64], found: NDArray[np.int64], p: NDArray[np.float64]) -> None:
    """From probabilities by shorter contexts to those by contexts of k - 1 words, in place."""
    level, above = trie.levels[k], trie.levels[k - 1]
    if level.prob is not None:
        _take(above.context, above.backoff, level.prob, contexts, found, p)
    else:
        base = float(trie.uniform.max()) if trie.flat else np.nan
        _interpolate(above.context, above.total, above.backoff, level.count, level.mass, contexts, found, base, p)


@njit(cache=True, nogil=True)
def _children(word, begin, contexts, words, found):  # type: ignore[no-untyped-def]
    limit = len(word)
    for i in range(len(words)):
        context = contexts[i]
        found[i] = NOWHERE
        if 0 <= context < len(begin) - 1:
            low, count = np.int64(begin[context]), np.int64(begin[context + 1]) - np.int64(begin[context])
            if count > 0 and low >= 0 and low + count <= limit:
                wanted = words[i]
                while count > 1:  # no branch depends on what is read, so the next look-up need not wait
                    half = count >> 1
                    low = low + half if word[low + half] <= wanted else low
                    count -= half
                if word[low] == wanted:
                    found[i] = low


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(context, total, backoff, count, mass, contexts, found, base, p):  # type: ignore[no-untyped-def]
    for i in range(len(p)):
        if contexts[i] >= 0:
            as_context = min(context[contexts[i]], len(total) - 1)
            shorter = p[i] if np.isnan(base) else base
            p[i] = backoff[as_context] * shorter
            if found[i] >= 0:
                p[i] += mass[min(count[found[i]], len(mass) - 1)] / total[as_context]


@njit(cache=True, nogil=True)
def _take(context, backoff, prob, contexts, found, p):  # type: ignore[no-untyped-def]
    for i in range(len(p)):
        if found[i] >= 0:
            p[i] = np.exp(prob[found[i]] * _NAT)
        elif contexts[i] >= 0:
            p[i] *= backoff[min(context[contexts[i]], len(backoff) - 1)]


def distribution(trie: Trie, nodes: NDArray[np.int64], p: NDArray[np.float64]) -> None:
    """``p``, at first those of single words [V], as the probabilities after the k-grams ``nodes`` [order] end: k = 0 to order
    - 1.
    """
    for k in range(2, trie.order + 1):
        context = nodes[k - 1]
        if context < 0:
            continue
        level, above = trie.levels[k], trie.levels[k - 1]
        assert above.begin is not None
        assert above.context is not None
        assert above.backoff is not None
        assert level.word is not None
        of = slice(int(above.begin[context]), int(above.begin[context + 1]))
        as_context, words = above.context[context], level.word[of]
        if level.prob is not None:
            p *= above.backoff[as_context]
            p[words] = np.exp(level.prob[of].astype(np.float64) * _NAT)
        else:
            assert level.mass is not None
            assert level.count is not None
            assert above.total is not None
            shorter = trie.uniform if trie.flat else p
            np.multiply(above.backoff[as_context], shorter, out=p)
            p[words] += level.mass[level.count[of]] / above.total[as_context]
