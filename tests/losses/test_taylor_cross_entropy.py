"""Taylor cross-entropy against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, TaylorCrossEntropy, build


def formula(loss: TaylorCrossEntropy, p: Tensor, y: Tensor) -> Tensor:
    """The terms of the series, one by one."""
    miss = 1 - (p * y).sum(-1)
    return torch.stack([miss**k / k for k in range(1, loss.order + 1)]).sum(0)


ODD: dict[str, dict[str, str]] = {"order=1": {}, "order=3": {}, "order=12": {}}


def test_by_hand() -> None:
    """Probability 1/4, order 3: 3/4 + (3/4)²/2 + (3/4)³/3."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    want = 3 / 4 + 9 / 32 + 27 / 192
    assert TaylorCrossEntropy(order=3)(logits, torch.tensor(0)).item() == pytest.approx(want)


def test_limits() -> None:
    """Order 1 is half the absolute error; many terms are cross-entropy."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    absolute = (logits.softmax(-1) - torch.eye(4)[target]).abs().sum(-1)
    torch.testing.assert_close(TaylorCrossEntropy(order=1)(logits, target), absolute / 2, rtol=1e-12, atol=1e-12)
    many = TaylorCrossEntropy(order=3000)(logits, target)
    torch.testing.assert_close(many, CrossEntropy()(logits, target), rtol=1e-8, atol=1e-8)


def test_bounded() -> None:
    """The worst costs 1 + 1/2 + … + 1/order."""
    value = TaylorCrossEntropy(order=4)(torch.tensor([1e4, -1e4]), torch.tensor(1))
    assert value.item() == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4)


def test_order_outside_the_domain() -> None:
    """A whole number of terms, at least one."""
    for order in (0, -2):
        with pytest.raises(UsageError, match=f"order is {order}; wanted a whole number, at least 1"):
            TaylorCrossEntropy(order=order)
    with pytest.raises(UsageError, match=r"got '1.5', wanted int"):
        build("taylor_cross_entropy:order=1.5")
