"""Lion."""

from __future__ import annotations

from optim.recorded import follow

# m is (0, 0), (0.005, -0.04): the signs are those of 0.1 g, then of 0.9 m + 0.1 g = (0.0545, 0.064)
HAND = {
    "lion:lr=0.1": [(0.9, -1.9), (0.8, -2.0)],
    "lion:lr=0.1,beta1=0.99": [(0.9, -1.9), (0.8, -1.8)],  # 0.99 · -0.04 + 0.01 · 1 is still below 0
    "lion:lr=0.1,weight_decay=0.5": [(0.85, -1.8), (0.85 * 0.95 - 0.1, -1.8 * 0.95 - 0.1)],
}


def test_trajectory() -> None:
    """The way of lion-pytorch."""
    follow("lion")
