"""What a training over tokens is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from ..engine.config import TrainConfig
from .layouts import Positions, Windows


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The rows that training is judged by, the shortest first, and how many tokens they have."""

    layout: Windows
    rows: NDArray[np.int64]
    tokens: int

    @classmethod
    def of(cls, positions: Positions, recipe: TrainConfig, seed: int) -> HeldOut:
        """All of them, or as many as the recipe says."""
        layout = Windows(positions, recipe.window, shifted=False)
        rows = np.arange(len(layout))
        if recipe.judged_tokens is not None:
            rows = generator(seed, "judged").permutation(rows)
            enough = int(np.searchsorted(np.cumsum(layout.lengths[rows]), recipe.judged_tokens)) + 1
            rows = np.sort(rows[:enough])
        return cls(layout, rows, int(layout.lengths[rows].sum()))
