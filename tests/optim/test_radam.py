"""RAdam."""

from __future__ import annotations

import pytest
import torch

from lossworks.optim import Stepper, build
from optim.battery import Weights

# In the first five steps it is momentum rid of its bias: m̂ is (0.5, -4), then (0.095, -0.26)/0.19
HAND = {"radam:lr=0.1": [(0.95, -1.6), (0.9, -1.6 + 0.1 * 0.26 / 0.19)]}
REFERENCE = {
    "radam:lr=0.02,beta1=0.8,beta2=0.95,eps=0.001": lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.8, 0.95), eps=0.001),
    "radam:lr=0.02,beta2=0.5": lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.9, 0.5)),  # never rectified: ρ∞ is 3
}
RATES = (0.005, 0.1, 0.5)


def test_divisor() -> None:
    """A step is lr · m̂ over the divisor, before the rectification sets in and after."""
    optimizer = build("radam:lr=0.01,beta1=0")  # m̂ is the gradient
    model = Weights(torch.ones(1, 2, dtype=torch.float64))
    stepper = Stepper(optimizer, model)
    for number in range(8):
        before = model.matrix.detach().clone()
        model.matrix.grad = torch.tensor([[0.5, -4.0]], dtype=torch.float64) / (number + 1)
        slope = model.matrix.grad.clone()
        stepper.step()
        divisor = stepper.divisor(model.matrix)
        assert (divisor == 1.0).all() == (number < 5)  # type: ignore[union-attr]
        assert (model.matrix.detach() - before).tolist()[0] == pytest.approx((-0.01 * slope / divisor).tolist()[0], rel=1e-9)
