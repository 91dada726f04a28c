"""Prodigy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lossworks.optim import Stepper, build
from optim.battery import Weights
from optim.recorded import follow

# d stays, for the second gradient leads away from the start. m is 0.01 times (0.5, -4), then (0.95, -2.6); v is 1e-5 times
# (0.25, 16), then (0.49975, 16.984).
_FIRST = (0.0005 / (0.5 * math.sqrt(1e-5) + 0.01), 0.004 / (4 * math.sqrt(1e-5) + 0.01))
HAND = {
    "prodigy:d0=0.1,eps=0.1": [
        (1 - _FIRST[0], -2 + _FIRST[1]),
        (
            1 - _FIRST[0] - 0.00095 / (math.sqrt(0.49975e-5) + 0.01),
            -2 + _FIRST[1] + 0.0026 / (math.sqrt(16.984e-5) + 0.01),
        ),
    ]
}
BAD = {"d0": ("0", "-1", "nan", "inf")}
RATES = (0.5, 1.0, 2.0)


def shrunk(before: float, after: float) -> float:
    """The rate is lr · d, and d begins with a millionth."""
    return after - before * 0.01 * 1e-6 * 0.5


def test_trajectory() -> None:
    """The way of the authors' package. The distance to weights that hardly moved is rough in float32."""
    follow("prodigy", float32=2e-3)


def test_the_distance_grows() -> None:
    """Three steps on paper: r / ‖s‖₁ is 4.5 q / 5 after the second, and the third step is made with it."""
    model = Weights(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    stepper = Stepper(build("prodigy:beta1=0,beta2=0.25,d0=0.1,eps=1e-20"), model)
    q = 0.1 / math.sqrt(0.75)  # the first step of both weights
    squares = (0.25 * 0.001875 + 0.001875, 0.25 * 0.001875 + 0.12)
    second = (1 - q - 0.1 * 0.05 / math.sqrt(squares[0]), -2 + q + 0.1 * 0.4 / math.sqrt(squares[1]))
    d = 0.9 * q
    steps = [d * d * g / math.sqrt(0.25 * v + 0.75 * (d * g) ** 2) for g, v in zip((0.5, 1.0), squares, strict=True)]
    wanted = [(1 - q, -2 + q), second, (second[0] - steps[0], second[1] - steps[1])]
    for slope, after in zip([(0.5, -0.5), (0.5, -4.0), (0.5, 1.0)], wanted, strict=True):
        model.matrix.grad = torch.tensor([slope], dtype=torch.float64)
        stepper.step()
        np.testing.assert_allclose(model.matrix.detach().numpy()[0], after, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 4095, 4097, 30_000])
def test_any_number_of_threads(size: int, threads: object) -> None:
    """The same bits, and what plain tensors say."""
    ends = []
    for count in (1, 3):
        threads(count)  # type: ignore[operator]
        rng = torch.Generator().manual_seed(1)
        model = Weights(torch.randn(1, size, generator=rng))
        stepper = Stepper(build("prodigy:d0=0.01,beta2=0.9"), model)
        for _ in range(4):
            model.matrix.grad = model.matrix.detach() * torch.rand(1, size, generator=rng)
            stepper.step()
        ends.append(model.flat())
    assert torch.equal(*ends)


def test_batches_do_not_change_the_rate() -> None:
    """It finds its rate itself, whatever the batch's size."""
    assert build("prodigy").for_batches(16) == build("prodigy")
