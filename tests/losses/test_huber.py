"""Huber's loss against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from losses.case import gradient
from lossworks.core.errors import UsageError
from lossworks.losses import Huber


def number_formula(loss: Huber, prediction: Tensor, value: Tensor) -> Tensor:
    """The two cases, as the paper has them."""
    size = (prediction - value).abs()
    return torch.where(size <= loss.delta, size**2 / 2, loss.delta * size - loss.delta**2 / 2)


ODD: dict[str, dict[str, str]] = {"delta=0.1": {}, "delta=1e-3": {}, "delta=50": {}}


def test_by_hand() -> None:
    """With delta 2, an error of 1 costs 1/2, one of 2 costs 2, and one of 5 costs 2·5 - 2."""
    assert Huber(delta=2.0).errors(torch.tensor([1.0, -2.0, 5.0]), torch.zeros(3)).tolist() == [0.5, 2.0, 8.0]


def test_limits() -> None:
    """A large delta is half the squared error; over delta, a small one is the absolute error."""
    prediction, value = torch.randn(2, 30, dtype=torch.float64)
    error = prediction - value
    torch.testing.assert_close(Huber(delta=100.0).errors(prediction, value), error**2 / 2, rtol=1e-12, atol=1e-12)
    small = Huber(delta=1e-9).errors(prediction, value) / 1e-9
    torch.testing.assert_close(small, error.abs(), rtol=1e-8, atol=1e-8)


def test_the_gradient_is_the_error_held_in() -> None:
    """Beyond delta it stays delta; where the prediction is right the curvature is 1, as beside it."""
    prediction = torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0], requires_grad=True)
    slope = torch.autograd.grad(Huber(delta=2.0).errors(prediction, torch.zeros(5)).sum(), prediction, create_graph=True)[0]
    assert slope.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert gradient(slope, prediction).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("delta", [0.3, 1.0, 7.0])
def test_agrees_with_pytorch(delta: float) -> None:
    """Value by value."""
    prediction, value = 3 * torch.randn(2, 40, dtype=torch.float64)
    want = huber_loss(prediction, value, delta=delta, reduction="none")
    torch.testing.assert_close(Huber(delta=delta).errors(prediction, value), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan, math.inf])
def test_delta_outside_the_domain(delta: float) -> None:
    """The error at which squares become lines is finite and above 0."""
    with pytest.raises(UsageError, match=f"delta is {delta}; wanted a finite number above 0"):
        Huber(delta=delta)
