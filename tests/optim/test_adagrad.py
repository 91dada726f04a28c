"""AdaGrad."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.optim import build

HAND = {
    "adagrad:lr=0.1": [(0.9, -1.9), (0.9 - 0.1 / math.sqrt(2), -1.9 - 0.1 / math.sqrt(17))],
    "adagrad:lr=0.1,initial=0.75": [
        (0.95, -2 + 0.4 / math.sqrt(16.75)),
        (0.95 - 0.05 / math.sqrt(1.25), -2 + 0.4 / math.sqrt(16.75) - 0.1 / math.sqrt(17.75)),
    ],
}
REFERENCE = {
    "adagrad:lr=0.2,initial=0.01,eps=0.001": lambda p: torch.optim.Adagrad(p, lr=0.2, initial_accumulator_value=0.01, eps=0.001)
}
BAD = {"initial": ("-1",)}


@pytest.mark.parametrize("times", [4, 64])
def test_a_rare_feature_learns_as_much_in_larger_batches(times: int) -> None:
    """AdaGrad fitted to larger batches: what a lone example moves its weight by, against lr, is the same as in small ones."""
    small = build("adagrad:lr=0.3,initial=1e-5")
    large, moved = small.for_batches(times), []
    for optimizer, gradient in ((small, 0.01), (large, 0.01 / times)):
        weight = torch.zeros(1, requires_grad=True)
        step = optimizer.torch([{"params": [weight]}])
        weight.grad = torch.tensor([gradient])
        step.step()
        moved.append(weight.item() / optimizer.lr)
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)
    assert small.lr < large.lr < small.lr * times**0.5
