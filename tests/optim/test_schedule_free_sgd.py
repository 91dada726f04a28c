"""Schedule-free SGD."""

from __future__ import annotations

from optim.recorded import follow

# z goes to (0.95, -1.6), (0.9, -1.7); x is its mean; what shows is 0.1 z + 0.9 x
HAND = {
    "schedule_free_sgd:lr=0.1": [(0.95, -1.6), (0.9225, -1.655)],
    # the gradient is (1, -5), then (0.95, 0.25)
    "schedule_free_sgd:lr=0.1,weight_decay=0.5": [(0.9, -1.5), (0.84775, -1.51375)],
    # half a step, then a whole one, which weighs four times as much
    "schedule_free_sgd:lr=0.1,warmup=2": [(0.975, -1.8), (0.934, -1.882)],
}
BAD = {"beta": ("0", "1", "-0.1", "nan"), "warmup": ("-1",)}


def test_trajectory() -> None:
    """The way of the authors' package, in training and in evaluation."""
    follow("schedule_free_sgd")
