"""The n-grams of a model, as arrays: a trie from a context to what may follow, each order one level.

Level k holds the k-grams, sorted by the place of their context in level k - 1, then by word. The children of entry i of
level k are entries ``begin[i]`` to ``begin[i + 1]`` of level k + 1. Level 1 has an entry for every word of the vocabulary, at
its number, and no ``word``; level 0 is the empty context, one entry.

What a k-gram (h, w) says is one formula, from the shortest context up, with p_0 uniform over all words but the start of a text:

    p_k(w | h) = mass[count(h, w)] / total[context(h)] + backoff[context(h)] · p_{k-1}(w | h')

where the first term is 0 if the k-gram is not there, and p_k = p_{k-1} if h is not. For a model read from an ARPA file, which
tells no counts (``prob``), p_k is the k-gram's own probability if it is there, and else ``backoff · p_{k-1}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 16
"""The highest order."""


@dataclass(slots=True)
class Level:
    """The n-grams of one order. Codes are numbers of rows of small tables, in the narrowest unsigned type that holds them.

    word: the last word of each [n]; None at levels 0 and 1.
    begin: where each one's children begin, [n + 1]; None at the highest order.
    count: code of each one's count [n]; None at level 0 and in a model without counts.
    counts, mass: by that code, the (adjusted) count, and what of it is left to the n-gram itself.
    context: code of what each one is as a context [n]; None at the highest order.
    total, backoff: by that code, what masses are divided by, and the weight of the next shorter context.
    prob: log10 probability of each one [n], instead of counts, in a model that was read from an ARPA file.
    """

    word: NDArray[Any] | None = None
    begin: NDArray[Any] | None = None
    count: NDArray[Any] | None = None
    counts: NDArray[np.int64] | None = None
    mass: NDArray[np.float64] | None = None
    context: NDArray[Any] | None = None
    total: NDArray[np.float64] | None = None
    backoff: NDArray[np.float64] | None = None
    prob: NDArray[np.float32] | None = None


@dataclass(slots=True)
class Trie:
    """``levels[k]`` has the k-grams, k = 0 to the order. ``flat``: every p_{k-1} in the formula is p_0 (additive smoothing)."""

    levels: list[Level]
    flat: bool = False

    @property
    def order(self) -> int:
        """The longest n-gram's length."""
        return len(self.levels) - 1

    def size(self, k: int) -> int:
        """How many k-grams there are; of level 0, one."""
        entries = self.levels[k].prob if self.levels[k].count is None else self.levels[k].count
        return 1 if entries is None else len(entries)
