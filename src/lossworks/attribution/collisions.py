"""N-grams that share a bucket, and with it a weight: what hashing does to an explanation."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from ..data import Selected


def sharing(selected: Selected, rest: NDArray[np.uint32]) -> NDArray[np.int64]:
    """How many features of each text [N] share their bucket with another n-gram of the text."""
    counts = np.zeros(len(selected), np.int64)
    share(_count, len(rest), selected.ids, selected.starts, selected.lengths, rest, counts)
    return counts


@njit(cache=True, nogil=True)
def _count(part, parts, ids, starts, lengths, rest, counts):  # type: ignore[no-untyped-def]
    """A table of open addresses holds of each bucket the first n-gram met in it; what differs from that one marks the bucket."""
    texts = len(lengths)
    keys, firsts, marked = np.zeros(64, np.uint64), np.zeros(64, np.uint32), np.zeros(64, np.bool_)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        own, differs = ids[starts[text] : starts[text] + lengths[text]], rest[starts[text] : starts[text] + lengths[text]]
        while len(keys) < 2 * len(own):
            size = 2 * len(keys)
            keys, firsts, marked = np.zeros(size, np.uint64), np.zeros(size, np.uint32), np.zeros(size, np.bool_)
        number, last = np.uint64(text + 1) << np.uint64(32), np.uint64(len(keys) - 1)
        any_marked = False
        for counting in range(2):
            for place in range(len(own) if any_marked or not counting else 0):
                key = number | own[place]
                slot = key & last
                while keys[slot] >= number and keys[slot] != key:  # what is below the number is of a text before
                    slot = (slot + np.uint64(1)) & last
                if counting:
                    counts[text] += marked[slot]
                elif keys[slot] != key:
                    keys[slot], firsts[slot], marked[slot] = key, differs[place], False
                elif firsts[slot] != differs[place]:
                    marked[slot] = any_marked = True
