"""The quantile loss against numbers worked by hand and scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import mean_pinball_loss
from torch import Tensor

from losses.case import gradient
from lossworks.core.errors import UsageError
from lossworks.losses import MeanAbsoluteError, Quantile


def number_formula(loss: Quantile, prediction: Tensor, value: Tensor) -> Tensor:
    """Below, on and above the value."""
    low, high = prediction < value, prediction > value
    return torch.where(low, loss.level * (value - prediction), torch.where(high, (1 - loss.level) * (prediction - value), 0.0))


ODD: dict[str, dict[str, str]] = {"level=0.9": {}, "level=0.01": {}}


def test_by_hand() -> None:
    """At level 0.9, 2 too low costs 1.8 and 2 too high costs 0.2."""
    values = Quantile(level=0.9).errors(torch.tensor([3.0, 7.0], dtype=torch.float64), torch.tensor([5.0, 5.0]))
    assert values.tolist() == pytest.approx([1.8, 0.2])


def test_limit_is_half_the_absolute_error() -> None:
    """At level 0.5 both sides weigh the same."""
    prediction, value = torch.randn(2, 30, dtype=torch.float64)
    torch.testing.assert_close(2 * Quantile().errors(prediction, value), MeanAbsoluteError().errors(prediction, value))


def test_the_quantile_is_best() -> None:
    """Of all constants the one below which a fraction ``level`` of the values lies loses least."""
    values = torch.arange(1000, dtype=torch.float64)
    for level in (0.1, 0.5, 0.95):
        lost = Quantile(level=level).errors(*torch.broadcast_tensors(values[:, None], values)).mean(-1)
        assert lost.argmin().item() / 1000 == pytest.approx(level, abs=0.002)


def test_nothing_to_learn_where_it_is_right() -> None:
    """The gradient is -level below the value, 1 - level above it and 0 on it."""
    prediction = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64, requires_grad=True)
    slope = gradient(Quantile(level=0.9).errors(prediction, torch.zeros(3, dtype=torch.float64)), prediction)
    assert slope.tolist() == pytest.approx([-0.9, 0.0, 0.1])


@pytest.mark.parametrize("level", [0.05, 0.5, 0.8])
def test_agrees_with_scikit_learn(level: float) -> None:
    """Its mean is scikit-learn's pinball loss."""
    prediction, value = torch.randn(2, 40, dtype=torch.float64)
    want = mean_pinball_loss(value.numpy(), prediction.numpy(), alpha=level)
    assert Quantile(level=level).errors(prediction, value).mean().item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, math.nan])
def test_level_outside_the_domain(level: float) -> None:
    """A level is a probability that is neither 0 nor 1."""
    with pytest.raises(UsageError, match=f"level is {level}; wanted more than 0 and less than 1"):
        Quantile(level=level)
