"""Generalised cross-entropy against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, GeneralizedCrossEntropy


def formula(loss: GeneralizedCrossEntropy, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    own = (p * y).sum(-1)
    return -own.log() if loss.q == 0 else (1 - own**loss.q) / loss.q


ODD: dict[str, dict[str, str]] = {"q=0": {}, "q=0.1": {}, "q=1": {}}


def test_by_hand() -> None:
    """Probability 1/4, q = 1/2: 2 (1 - 1/2)."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert GeneralizedCrossEntropy(q=0.5)(logits, torch.tensor(0)).item() == pytest.approx(1.0)


def test_limits() -> None:
    """q → 0 is cross-entropy, without cancellation; q = 1 half the absolute error."""
    logits, target = 5 * torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    cross_entropy = CrossEntropy()(logits, target)
    torch.testing.assert_close(GeneralizedCrossEntropy(q=1e-13)(logits, target), cross_entropy, rtol=1e-10, atol=1e-10)
    assert torch.equal(GeneralizedCrossEntropy(q=0.0)(logits, target), cross_entropy)
    absolute = (logits.softmax(-1) - torch.eye(4)[target]).abs().sum(-1)
    torch.testing.assert_close(GeneralizedCrossEntropy(q=1.0)(logits, target), absolute / 2, rtol=1e-12, atol=1e-12)


def test_bounded() -> None:
    """A wrong label costs 1/q and pulls at nothing."""
    logits = torch.tensor([1e4, -1e4], requires_grad=True)
    value = GeneralizedCrossEntropy(q=0.5)(logits, torch.tensor(1))
    assert value.item() == 2.0
    assert not torch.autograd.grad(value, logits)[0].any()


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_q_outside_the_domain(q: float) -> None:
    """q is between cross-entropy and absolute error."""
    with pytest.raises(UsageError, match=f"q is {q}; wanted 0 to 1"):
        GeneralizedCrossEntropy(q=q)
