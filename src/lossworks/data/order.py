"""The order in which examples are seen: a function of the seed and the epoch, never a state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator


def epoch_order(seed: int, epoch: int, count: int, *path: str | int) -> NDArray[np.int64]:
    """A permutation of ``range(count)`` for epoch ``epoch`` of the run seeded ``seed``; ``path`` names a part of it."""
    return generator(seed, "order", epoch, *path).permutation(count)
