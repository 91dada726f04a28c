"""Adan."""

from __future__ import annotations

import math

from optim.recorded import follow

# The first gradient is m, its square n. Then the second weight's gradient turns by 5: m is 0.98 · -4 + 0.02 = -3.9, v is
# 0.08 · 5 = 0.4, n is 0.99 · 16 + 0.01 (1 + 0.92 · 5)² = 16.1536
_SECOND = 0.1 * (3.9 - 0.92 * 0.4) / math.sqrt(16.1536)
HAND = {
    "adan:lr=0.1": [(0.9, -1.9), (0.8, -1.9 + _SECOND)],
    "adan:lr=0.1,weight_decay=0.5": [
        (0.9 / 1.05, -1.9 / 1.05),
        ((0.9 / 1.05 - 0.1) / 1.05, (-1.9 / 1.05 + _SECOND) / 1.05),
    ],
}
RATES = (0.02, 0.1, 0.2)
BAD = {"beta3": ("1", "-0.1")}


def shrunk(before: float, after: float) -> float:
    """Decay divides, after the step."""
    return after / (1 + 0.01 * 0.5)


def test_trajectory() -> None:
    """The way of pytorch-optimizer, its averages started as the paper has it."""
    follow("adan")
