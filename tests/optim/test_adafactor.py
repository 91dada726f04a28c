"""Adafactor."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.optim import Stepper, build
from optim.battery import Weights

# In a matrix of one row nothing is lost by factoring: v is g² at step 1 (which counts in full) and (1 - s)·v + s·g² with
# s = 2^-0.8 at step 2. RMS(u) is 1 at step 1, and at step 2 less: nothing is clipped. RMS(w) is √2.5 at first.
S = 2**-0.8
FIRST = 0.01 * math.sqrt(2.5)
SECOND = 0.01 * math.sqrt(((1 - FIRST) ** 2 + (-2 + FIRST) ** 2) / 2)
HAND = {
    "adafactor:lr=0.01": [
        (1 - FIRST, -2 + FIRST),
        (1 - FIRST - SECOND, -2 + FIRST - SECOND / math.sqrt((1 - S) * 16 + S)),
    ]
}
REFERENCE = {
    "adafactor:lr=0.05,decay=0.6,clip=1.2,smallest=0.5": lambda p: torch.optim.Adafactor(
        p, lr=0.05, beta2_decay=-0.6, d=1.2, eps=(None, 0.5)
    ),
    "adafactor:lr=0.01,weight_decay=0.3,decay_all=true": lambda p: torch.optim.Adafactor(p, weight_decay=0.3),
}
BAD = {"decay": ("0", "-1"), "clip": ("0.5", "nan"), "smallest": ("0", "-1")}


@pytest.mark.parametrize("lr", [0.01, 0.9])
def test_divisor(lr: float) -> None:
    """Unclipped, a step is lr · g over the divisor, for a matrix that factors exactly and for a vector."""
    optimizer = build(f"adafactor:lr={lr},clip=100")
    model = Weights(torch.full((2, 3), 2.0, dtype=torch.float64), torch.full((3,), 0.5, dtype=torch.float64))
    stepper = Stepper(optimizer, model)
    for number in range(4):
        before = [p.detach().clone() for p in model.parameters()]
        model.matrix.grad = torch.outer(torch.tensor([1.0, 3.0]), torch.tensor([2.0, -1.0, 0.5])).double() / (number + 1)
        model.bias.grad = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64) / (number + 1)
        slopes = [p.grad for p in model.parameters()]
        stepper.step()
        for p, at, slope in zip(model.parameters(), before, slopes, strict=True):
            assert slope is not None
            torch.testing.assert_close(p.detach(), at - lr * slope / stepper.divisor(p), rtol=1e-6, atol=0)
