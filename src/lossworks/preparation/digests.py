"""128 bits for each text, by which equal texts are found."""

from __future__ import annotations

import numpy as np
import xxhash
from numpy.typing import NDArray

from .texts import Texts


def digests(texts: Texts) -> NDArray[np.uint64]:
    """XXH3's 128-bit hash of each text as it stands [N, 2]: equal for equal texts, on any machine. Normalise the texts first."""
    whole, offsets, digest = np.ascontiguousarray(texts.bytes).data, texts.offsets.tolist(), xxhash.xxh3_128_digest
    found = b"".join([digest(whole[offsets[row] : offsets[row + 1]]) for row in range(len(texts))])
    return np.frombuffer(found, ">u8").reshape(-1, 2).astype(np.uint64)


def repeats(digests: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row the earliest row of the same digest [N]; its own number where it is the first."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable: the rows of a digest stay in their order
    same = np.r_[False, (digests[order[1:]] == digests[order[:-1]]).all(1)]
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    found = np.empty(len(order), np.int64)
    found[order] = order[starts]
    return found
