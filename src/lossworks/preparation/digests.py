"""128 bits for each text, by which equal texts are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .texts import Texts


def digests(texts: Texts) -> NDArray[np.uint64]:
    """XXH3's 128-bit hash of each text as it stands [N, 2]: equal for equal texts, on any machine. Normalise the texts first."""
    raise NotImplementedError


def repeats(digests: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row the earliest row of the same digest [N]; its own number where it is the first."""
    raise NotImplementedError
