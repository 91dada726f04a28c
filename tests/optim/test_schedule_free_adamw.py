"""Schedule-free AdamW."""

from __future__ import annotations

import math

from optim.recorded import follow

# v is 2.5e-4, 4.9975e-4 and 0.016, 0.016984; z goes by 0.1 · √(1 - β₂ᵗ) g / √v
_SECOND = 0.1 * math.sqrt(0.001999 / 0.016984)
_SHARE = 0.001999 / 0.002999  # of the second z in the average


def _shown(first: float, second: float) -> float:
    """A tenth of the second z, and nine of the average."""
    return 0.1 * second + 0.9 * ((1 - _SHARE) * first + _SHARE * second)


HAND = {"schedule_free_adamw:lr=0.1,eps=1e-12": [(0.9, -1.9), (_shown(0.9, 0.8), _shown(-1.9, -1.9 - _SECOND))]}
BAD = {"beta1": ("0", "1", "-0.1", "nan"), "warmup": ("-1",)}


def shrunk(before: float, after: float) -> float:
    """The rate of the first step bears the correction of the bias."""
    return after - before * 0.01 * math.sqrt(0.001) * 0.5


def test_trajectory() -> None:
    """The way of the authors' package, as published, in training and in evaluation."""
    follow("schedule_free_adamw")
