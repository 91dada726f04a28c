"""Small tries from Python dicts, and what they say worked out by recursion, for the compiled code to agree with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossworks.data import Ragged
from lossworks.models.ngram.trie import Level, Trie
from lossworks.tokens import Vocabulary

START, END = 1, 2
Gram = tuple[int, ...]
DISCOUNT = 0.7


def ragged(texts: Sequence[Sequence[int]]) -> Ragged:
    """Rows of tokens."""
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Ragged(np.array([token for text in texts for token in text], np.uint32), offsets)


def vocabulary(size: int) -> Vocabulary:
    """Tokens 0 to ``size`` - 1, the first three the marks."""
    return Vocabulary(size)


class Counted:
    """An absolutely discounted model of texts: its trie, and p by recursion over dicts."""

    def __init__(self, texts: Sequence[Sequence[int]], size: int, order: int, ends: bool = True, flat: bool = False) -> None:
        self.size, self.order, self.flat = size, order, flat
        self.counts: Counter[Gram] = Counter()
        for text in texts:
            marked = (START, *text, *([END] if ends else []))
            for i in range(len(marked)):
                for k in range(1, min(order, i + 1) + 1):
                    self.counts[marked[i - k + 1 : i + 1]] += 1

    def mass(self, gram: Gram) -> float:
        """What is left of a count; nothing of the start's."""
        count = self.counts.get(gram, 0)
        return max(count - DISCOUNT, 0.0) if gram[-1] != START else 0.0

    def context(self, context: Gram) -> tuple[float, float]:
        """Total and backoff weight of a context."""
        followers = [gram for gram in self.counts if len(gram) == len(context) + 1 and gram[:-1] == context and gram[-1] != START]
        total = float(sum(self.counts[gram] for gram in followers))
        return (total, DISCOUNT * len(followers) / total) if followers else (0.0, 1.0)

    def p(self, context: Gram, word: int) -> float:
        """The formula of ``trie.py``, literally."""
        uniform = 1 / (self.size - 1) if word != START else 0.0
        contexts = [context[len(context) - k :] for k in range(min(len(context), self.order - 1) + 1)]
        p = uniform
        for h in contexts:
            if len(h) > 1 and h not in self.counts:
                continue  # every single word is there
            total, backoff = self.context(h)
            said = self.mass((*h, word)) / total if total else 0.0
            p = said + backoff * (uniform if self.flat else p)
        return p

    def trie(self) -> Trie:
        """The same as arrays."""
        grams = _sorted(self.counts, self.size, self.order)
        levels = []
        for k in range(self.order + 1):
            level = _skeleton(grams, k, self.order)
            if k:
                counts, level.count = _coded([self.counts.get(gram, 0) for gram in grams[k]])
                level.counts = counts.astype(np.int64)
                level.mass = np.maximum(counts - DISCOUNT, 0.0)
                if k == 1:  # the start's count has a mass of its own: none
                    level.counts, level.mass = np.append(level.counts, 0), np.append(level.mass, 0.0)
                    level.count[START] = len(level.mass) - 1
            if k < self.order:
                rows, level.context = np.unique(
                    np.array([self.context(gram) for gram in grams[k]]).reshape(-1, 2), axis=0, return_inverse=True
                )
                level.context = level.context.reshape(-1).astype(np.uint16)
                level.total, level.backoff = rows[:, 0].copy(), rows[:, 1].copy()
            levels.append(level)
        return Trie(levels, flat=self.flat)


class Valued:
    """A model as an ARPA file tells it: log10 probabilities and backoffs by n-gram."""

    def __init__(self, prob: dict[Gram, float], backoff: dict[Gram, float], size: int, order: int) -> None:
        self.prob, self.backoff, self.size, self.order = prob, backoff, size, order

    def log10(self, context: Gram, word: int) -> float:
        """p by recursion, from the longest context down."""
        context = context[max(len(context) - self.order + 1, 0) :]
        if word == START:
            return -math.inf
        if (*context, word) in self.prob:
            return self.prob[(*context, word)]
        return self.backoff.get(context, 0.0) + self.log10(context[1:], word)

    def trie(self) -> Trie:
        """The same as arrays."""
        grams = _sorted(self.prob, self.size, self.order)
        levels = []
        for k in range(self.order + 1):
            level = _skeleton(grams, k, self.order)
            if k:
                level.prob = np.array([self.prob[gram] for gram in grams[k]], np.float32)
            if k < self.order:
                values, level.context = _coded([self.backoff.get(gram, 0.0) for gram in grams[k]])
                level.backoff = 10.0**values
            levels.append(level)
        return Trie(levels)


def _sorted(known: Any, size: int, order: int) -> list[list[Gram]]:
    grams: list[list[Gram]] = [[()], [(word,) for word in range(size)]]
    return grams + [sorted(gram for gram in known if len(gram) == k) for k in range(2, order + 1)]


def _skeleton(grams: list[list[Gram]], k: int, order: int) -> Level:
    level = Level()
    if k > 1:
        level.word = np.array([gram[-1] for gram in grams[k]], np.uint8)
    if k < order:
        children = Counter(gram[:-1] for gram in grams[k + 1])
        level.begin = np.cumsum([0, *(children[gram] for gram in grams[k])]).astype(np.uint32)
    return level


def _coded(values: list[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    table, codes = np.unique(np.array(values or [0]), return_inverse=True)
    return table.astype(np.float64), codes[: len(values)].astype(np.uint8)
