"""Log-likelihood against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, LogLikelihood


def formula(loss: LogLikelihood, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    return -(p * y).sum(-1).log()


def number_formula(loss: LogLikelihood, prediction: Tensor, value: Tensor) -> Tensor:
    """The normal distribution's, by PyTorch."""
    return -torch.distributions.Normal(prediction, loss.scale).log_prob(value)


ODD: dict[str, dict[str, str]] = {"scale=0.1": {}, "scale=30": {}}


def test_by_hand() -> None:
    """One in four is log 4 nats; two standard deviations off is 2 + log √(2π)."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert LogLikelihood()(logits, torch.tensor(0)).item() == pytest.approx(math.log(4))
    value = LogLikelihood(scale=3.0).errors(torch.tensor(1.0), torch.tensor(7.0)).item()
    assert value == pytest.approx(2 + math.log(3) + math.log(2 * math.pi) / 2)


def test_it_is_cross_entropy_over_outcomes() -> None:
    """Bit for bit, with nothing smoothed and nothing weighed."""
    logits, target = torch.randn(30, 4), torch.randint(4, (30,))
    assert torch.equal(LogLikelihood(scale=2.0)(logits, target), CrossEntropy()(logits, target))


def test_limit_is_the_squared_error() -> None:
    """With scale 1/√2 it differs from the squared error by the constant log √π."""
    prediction, value = torch.randn(2, 30, dtype=torch.float64)
    values = LogLikelihood(scale=math.sqrt(0.5)).errors(prediction, value)
    torch.testing.assert_close(values, (prediction - value) ** 2 + math.log(math.pi) / 2, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 1.0, 20.0])
def test_agrees_with_pytorch(scale: float) -> None:
    """The normal density's constant included."""
    prediction, value = torch.randn(2, 30, dtype=torch.float64)
    theirs = torch.nn.GaussianNLLLoss(full=True, reduction="none")
    want = theirs(prediction, value, torch.full_like(value, scale**2))
    torch.testing.assert_close(LogLikelihood(scale=scale).errors(prediction, value), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf])
def test_scale_outside_the_domain(scale: float) -> None:
    """A standard deviation is finite and above 0."""
    with pytest.raises(UsageError, match=f"scale is {scale}; wanted a finite number above 0"):
        LogLikelihood(scale=scale)
