"""Mean absolute error against numbers worked by hand, PyTorch and scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import mean_absolute_error
from torch import Tensor
from torch.nn.functional import l1_loss

from losses.case import gradient
from lossworks.losses import MeanAbsoluteError

LOSS = MeanAbsoluteError()


def number_formula(loss: MeanAbsoluteError, prediction: Tensor, value: Tensor) -> Tensor:
    """The larger of the two differences."""
    return torch.maximum(prediction - value, value - prediction)


ODD: dict[str, dict[str, str]] = {}


def test_by_hand() -> None:
    """1 for 4 is 3 off, and so is 7 for 4."""
    assert LOSS.errors(torch.tensor([1.0, 7.0]), torch.full((2,), 4.0)).tolist() == [3.0, 3.0]


def test_nothing_to_learn_where_it_is_right() -> None:
    """The gradient is -1 below the value, 1 above it and 0 on it."""
    prediction = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    assert gradient(LOSS.errors(prediction, torch.zeros(3)), prediction).tolist() == [-1.0, 0.0, 1.0]


def test_the_median_is_best() -> None:
    """Of all constants the median of the values loses least, wherever the largest value lies."""
    constants = torch.linspace(0, 10, 101, dtype=torch.float64)
    for wild in (9.0, 1e6):
        values = torch.tensor([1.0, 2.0, 4.0, 5.0, wild], dtype=torch.float64)
        lost = LOSS.errors(*torch.broadcast_tensors(constants[:, None], values)).mean(-1)
        assert constants[lost.argmin()].item() == pytest.approx(4.0)


def test_agrees_with_pytorch_and_scikit_learn() -> None:
    """Value by value, and in the mean."""
    prediction, value = torch.randn(2, 40, dtype=torch.float64)
    assert torch.equal(LOSS.errors(prediction, value), l1_loss(prediction, value, reduction="none"))
    want = mean_absolute_error(value.numpy(), prediction.numpy())
    assert LOSS.errors(prediction, value).mean().item() == pytest.approx(want, rel=1e-12)
