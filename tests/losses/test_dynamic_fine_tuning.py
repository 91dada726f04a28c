"""Dynamic fine-tuning against numbers worked by hand and the loss whose gradient it has."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.losses import DynamicFineTuning, GeneralizedCrossEntropy


def formula(loss: DynamicFineTuning, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    own = (p * y).sum(-1)
    return -own.detach() * own.log()


_FIXED = "the factor p is held fixed when the loss is differentiated, so the gradient is not that of the values"
ODD: dict[str, dict[str, str]] = {"": {"first_derivative": _FIXED, "second_derivative": _FIXED}}


def test_by_hand() -> None:
    """Probability 1/4: a quarter of log 4, and a quarter of cross-entropy's gradient."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64, requires_grad=True)
    value = DynamicFineTuning()(logits, torch.tensor(0))
    assert value.item() == pytest.approx(math.log(4) / 4)
    assert torch.autograd.grad(value, logits)[0].tolist() == pytest.approx([-3 / 16, 3 / 16])


def test_descends_the_absolute_error() -> None:
    """Its gradient is that of 1 - p, which is generalised cross-entropy with q = 1."""
    logits, target = 3 * torch.randn(30, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (30,))
    pair = (
        torch.autograd.grad(loss(logits, target).sum(), logits)[0]
        for loss in (DynamicFineTuning(), GeneralizedCrossEntropy(q=1.0))
    )
    torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)
