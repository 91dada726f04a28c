"""What the n-grams say of texts: every token's place in each level of the trie, and its probability.

A token's k-gram is the child, by that token, of the (k-1)-gram that ends just before it. So the places of all tokens in level k
follow from those in level k - 1, token by token independently, and the probability grows with them, from the shortest context
up. The search is in halves for many tokens at once, step by step together: while one waits for memory, the others go on.
Nothing in a trie, which may be a mapped file, is trusted: whatever indexes an array is checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import RecordError
from ...core.kernels import kernel
from ...core.threads import available, share
from ...tokens import Vocabulary
from .trie import Level, Trie

_TOGETHER = 32  # searches at a time: enough to hide the wait for memory; measured on the poems, 16 to 64 are alike
_ONE = np.uint64(1)
LN_10 = float(np.log(10.0))

Places = list[NDArray[np.int64]]


class Query:
    """A trie, ready to be asked. Probabilities are linear, or log10 in a model from an ARPA file (``valued``)."""

    def __init__(self, trie: Trie, vocabulary: Vocabulary, origin: str = "the model") -> None:
        self.order, self.flat = trie.order, trie.flat
        self.levels = [_frozen(level) for level in trie.levels]
        self.valued = trie.levels[1].prob is not None
        self.uniform = 1.0 / (vocabulary.size - 1)
        self._origin = origin
        self._weights = [self._weight(level) for level in self.levels[:-1]]
        self.unigrams = self._unigrams(vocabulary)

    def walk(self, tokens: NDArray[np.uint32], depth: NDArray[np.uint8], top: int) -> tuple[Places, NDArray[np.float64]]:
        """Along a sequence: the places of the k-grams that end at each token, k = 0 to ``top``, and each token's p_top.

        Where a k-gram is not in the trie, or would reach over its text's start, its place is -1.
        """
        places: Places = [np.zeros(len(tokens), np.int64), tokens.astype(np.int64)]
        p = self.unigrams[tokens]
        uniform = self.uniform if self.flat else None
        room = np.empty((available(), _TOGETHER), np.int64), np.empty((available(), 4, _TOGETHER), np.uint64)
        for k in range(2, top + 1):
            found = np.empty(len(tokens), np.int64)
            given = k, tokens, depth, places[-1], found, p, self._weights[k - 1], uniform, *room
            self._run(_descend, k, len(tokens), *given, most=len(room[0]))
            places.append(found)
        return places, p

    def logp(self, tokens: NDArray[np.uint32], depth: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log-probability in nats of each token of a sequence after those before it."""
        _, p = self.walk(tokens, depth, self.order)
        with np.errstate(divide="ignore"):  # the start token is never predicted: log 0
            return p * LN_10 if self.valued else np.log(p)

    def following(self, places: Places) -> NDArray[np.float64]:
        """Log-probabilities in nats [positions, V] of what follows contexts: ``places`` of ``walk``, k below the order."""
        weight, floor = self.weights(places)
        p = np.empty((len(places[0]), len(self.unigrams)))
        base = 10.0**self.unigrams if self.valued else self.unigrams
        share(_fill, p.size, base, weight[1], floor * self.uniform, p)
        for k in range(2, len(places) + 1):
            self._run(_add_children, k, p.size, places[k - 1], weight[k], p)
        with np.errstate(divide="ignore"):
            return np.log(p, out=p)

    def weights(self, places: Places) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By what the probability after a context is made of each order's: factors [order + 1, positions], of k-grams in row k.

        Also the factors of the uniform distribution beside p_1, where ``flat``.
        """
        weight = np.ones((self.order + 1, len(places[0])))
        if not self.flat:  # each order's is what all longer contexts leave to it
            for k in range(len(places), 1, -1):
                weight[k - 1] = weight[k] * self.backoff(k - 1, places[k - 1])
            return weight, np.zeros(len(places[0]))
        longest = np.max([np.where(place >= 0, k, 0) for k, place in enumerate(places)], axis=0)
        for k in range(1, self.order + 1):
            weight[k] = longest == k - 1
        floor = np.zeros(len(longest))
        for k in range(1, len(places)):
            floor += np.where(longest == k, self.backoff(k, places[k]), 0.0)
        return weight, floor

    def backoff(self, k: int, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """The backoff weights of contexts of length k; 1 where there is none."""
        there = places >= 0
        weights = np.ones(len(places))
        weights[there] = self.look_up(k, "context", "backoff", places[there])
        return weights

    def look_up(self, k: int, code: str, table: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """``table[code[places]]`` of level k.

        Raises:
            RecordError: a code is no row of the table.
        """
        codes, rows = getattr(self.levels[k], code)[places], getattr(self.levels[k], table)
        if codes.size and codes.max() >= len(rows):
            raise self.damaged(k)
        found: NDArray[Any] = rows[codes]
        return found

    def _run(self, kernel: Callable[..., None], k: int, work: int, *arguments: Any, most: int | None = None) -> None:
        """``share`` a kernel over level k and its contexts.

        Raises:
            RecordError: what the kernel found in the arrays leads out of them.
        """
        above, level, faults = self.levels[k - 1], self.levels[k], np.zeros(1, np.uint8)
        arrays = above.begin, above.context, above.total, level.word, level.count, level.mass, level.prob
        share(kernel, work, *arguments, *arrays, faults, most=most)
        if faults[0]:
            raise self.damaged(k)

    def damaged(self, k: int) -> RecordError:
        """The error for k-grams that lead out of their arrays."""
        return RecordError(f"{self._origin} is damaged (its {k}-grams lead nowhere). Restore it from a copy, or fit again.")

    def _weight(self, level: Level) -> NDArray[np.float64]:
        """What a probability is multiplied by where it backs off, as ``walk`` takes it: log10 where probabilities are."""
        assert level.backoff is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(level.backoff) if self.valued else level.backoff

    def _unigrams(self, vocabulary: Vocabulary) -> NDArray[np.float64]:
        """p_1 of every word without a context (log10 if ``valued``)."""
        level, root = self.levels[1], np.zeros(1, np.int64)
        if level.prob is not None:
            unigrams = level.prob.astype(np.float64)
        else:
            total, backoff = (self.look_up(0, "context", name, root)[0] for name in ("total", "backoff"))
            unigrams = self.look_up(1, "count", "mass", np.arange(vocabulary.size)) / max(total, 1e-300) + backoff * self.uniform
        unigrams[vocabulary.start] = -np.inf if self.valued else 0.0
        return unigrams


def _frozen(level: Level) -> Level:
    """The level with read-only arrays: those of a mapped file are, and every kind is compiled for anew."""
    views = {}
    for field in fields(level):
        array = getattr(level, field.name)
        if array is not None:
            array = np.asarray(array).view()
            array.flags.writeable = False
        views[field.name] = array
    return Level(**views)


@kernel(error_model="numpy")
def _descend(  # type: ignore[no-untyped-def]
    part, parts, k, tokens, depth, old, found, p, weight, uniform, ats, rooms,
    begin, context, total, word, count, mass, prob, faults
):  # fmt: skip
    """From the places ``old`` of (k-1)-grams to those of k-grams, and from p_{k-1} to p_k; ``ats`` and ``rooms`` to work in."""
    at, code, low, left, want = ats[part], rooms[part, 0], rooms[part, 1], rooms[part, 2], rooms[part, 3]
    size = np.uint64(len(word))
    i, stop = len(tokens) * part // parts, len(tokens) * (part + 1) // parts
    while i < stop:
        group = 0
        while i < stop and group < _TOGETHER:
            found[i] = -1
            at[group] = i
            group += depth[i] >= k - 1 and old[i - 1] >= 0
            i += 1
        longest = np.uint64(0)
        for j in range(group):
            place = np.uint64(old[at[j] - 1])
            first, end, row = np.uint64(begin[place]), np.uint64(begin[place + _ONE]), np.uint64(context[place])
            if first > end or end > size or row >= np.uint64(len(weight)):
                faults[0] = 1
                first = end = row = np.uint64(0)
            low[j], left[j], code[j] = min(first, size - _ONE), end - first, row
            longest = max(longest, end - first)
            want[j] = np.uint64(tokens[at[j]])
        while longest > _ONE:  # a step for all; those that have arrived stand still
            for j in range(group):
                half, place = left[j] >> _ONE, low[j]
                low[j] = place + half if np.uint64(word[place + half]) <= want[j] else place
                left[j] -= half
            longest -= longest >> _ONE
        for j in range(group):
            place, i_j = low[j], at[j]
            there = left[j] == _ONE and np.uint64(word[place]) == want[j]
            if there:
                found[i_j] = np.int64(place)
            if count is not None:  # what is None for the compiler takes its branch with it
                below = p[i_j]
                if uniform is not None:
                    below = uniform if below > 0 else 0.0
                p[i_j] = weight[code[j]] * below
                if there:
                    row = np.uint64(count[place])
                    if row >= np.uint64(len(mass)):
                        faults[0] = 1
                        row = np.uint64(0)
                    p[i_j] += mass[row] / total[code[j]]
            if prob is not None:
                p[i_j] = prob[place] if there else weight[code[j]] + p[i_j]


@kernel
def _fill(part, parts, base, weight, floor, out):  # type: ignore[no-untyped-def]
    """``weight`` times the words' probabilities without context, and ``floor`` for each word that can be predicted."""
    for i in range(len(out) * part // parts, len(out) * (part + 1) // parts):
        for w in range(len(base)):
            out[i, w] = weight[i] * base[w] + (floor[i] if base[w] > 0 else 0.0)


@kernel(error_model="numpy")
def _add_children(  # type: ignore[no-untyped-def]
    part, parts, places, weight, out, begin, context, total, word, count, mass, prob, faults
):
    """What the k-grams after each context say, times ``weight``: added, or in a ``valued`` model instead of what was there."""
    for i in range(len(out) * part // parts, len(out) * (part + 1) // parts):
        if places[i] < 0 or weight[i] == 0:
            continue
        place = np.uint64(places[i])
        first, end, code = np.uint64(begin[place]), np.uint64(begin[place + _ONE]), np.uint64(context[place])
        if first > end or end > np.uint64(len(word)):
            faults[0] = 1
            continue
        for child in range(first, end):
            w = np.uint64(word[child])
            if w >= np.uint64(out.shape[1]):
                faults[0] = 1
                continue
            if prob is not None:
                out[i, w] = weight[i] * 10.0 ** prob[child]
            if count is not None:
                row = np.uint64(count[child])
                if code >= np.uint64(len(total)) or row >= np.uint64(len(mass)):
                    faults[0] = 1
                else:
                    out[i, w] += weight[i] * mass[row] / total[code]
