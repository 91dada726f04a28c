"""Mean squared error against numbers worked by hand, PyTorch and scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import brier_score_loss
from torch import Tensor
from torch.nn.functional import mse_loss, one_hot

from lossworks import scores
from lossworks.losses import MeanSquaredError

LOSS = MeanSquaredError()


def formula(loss: MeanSquaredError, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    return ((p - y) ** 2).sum(-1)


def number_formula(loss: MeanSquaredError, prediction: Tensor, value: Tensor) -> Tensor:
    """Between numbers."""
    return (prediction - value) ** 2


ODD: dict[str, dict[str, str]] = {}


def test_by_hand() -> None:
    """Probabilities 1/4 and 3/4, target the first: (3/4)² twice; numbers 1 and 4: 9."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert LOSS(logits, torch.tensor(0)).item() == pytest.approx(9 / 8)
    assert LOSS.errors(torch.tensor(1.0), torch.tensor(4.0)).item() == 9.0


def test_limits() -> None:
    """Two outcomes: 2 (1 - p)²; uniform over V: 1 - 1/V; sure and right 0, sure and wrong 2."""
    logits, target = torch.randn(30, dtype=torch.float64), torch.randint(2, (30,))
    view = scores.binary(logits, target)
    torch.testing.assert_close(LOSS(view), 2 * (1 - view.logp.exp()) ** 2, rtol=1e-12, atol=1e-12)
    assert LOSS(torch.zeros(8), torch.tensor(3)).item() == pytest.approx(1 - 1 / 8)
    sure = torch.tensor([[1e4, -1e4], [1e4, -1e4]])
    assert LOSS(sure, torch.tensor([0, 1])).tolist() == [0.0, 2.0]


def test_agrees_with_pytorch() -> None:
    """Σ over the outcomes of the squared error of the softmax, and the docstring's gradient."""
    logits = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    target = torch.randint(6, (40,))
    y, p = one_hot(target, 6).double(), logits.softmax(-1)
    values = LOSS(logits, target)
    torch.testing.assert_close(values, mse_loss(p, y, reduction="none").sum(-1), rtol=1e-12, atol=1e-12)
    stated = 2 * p * (p - y - (p * (p - y)).sum(-1, keepdim=True))
    torch.testing.assert_close(torch.autograd.grad(values.sum(), logits)[0], stated, rtol=1e-12, atol=1e-12)


def test_agrees_with_scikit_learn() -> None:
    """Its mean is scikit-learn's Brier score, not halved."""
    logits, target = torch.randn(60, 5, dtype=torch.float64), torch.arange(60) % 5
    want = brier_score_loss(target.numpy(), logits.softmax(-1).numpy(), scale_by_half=False, labels=range(5))
    assert LOSS(logits, target).mean().item() == pytest.approx(want, rel=1e-12)
