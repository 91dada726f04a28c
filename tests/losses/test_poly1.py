"""Poly-1 against numbers worked by hand and its series."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, Poly1


def formula(loss: Poly1, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    own = (p * y).sum(-1)
    return -own.log() + loss.epsilon * (1 - own)


ODD: dict[str, dict[str, str]] = {"epsilon=-1": {}, "epsilon=-0.3": {}, "epsilon=0": {}, "epsilon=20": {}}


def test_by_hand() -> None:
    """Probability 3/4, epsilon 2: log(4/3) + 2/4."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert Poly1(epsilon=2.0)(logits, torch.tensor(1)).item() == pytest.approx(math.log(4 / 3) + 0.5)


def test_limit_is_cross_entropy() -> None:
    """Bit for bit with epsilon = 0."""
    logits, target = torch.randn(30, 4), torch.randint(4, (30,))
    assert torch.equal(Poly1(epsilon=0.0)(logits, target), CrossEntropy()(logits, target))


def test_epsilon_changes_the_first_coefficient_alone() -> None:
    """With epsilon = -1 what is left of the series Σ (1 - p)^j / j begins with the square."""
    logits, target = torch.randn(30, 3, dtype=torch.float64), torch.randint(3, (30,))
    miss = 1 - logits.softmax(-1).gather(-1, target[:, None])[:, 0]
    series = torch.stack([miss**j / j for j in range(2, 3000)]).sum(0)
    torch.testing.assert_close(Poly1(epsilon=-1.0)(logits, target), series, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("epsilon", [-1.01, math.nan, math.inf])
def test_epsilon_outside_the_domain(epsilon: float) -> None:
    """Below -1 a coefficient would be negative."""
    with pytest.raises(UsageError, match=f"epsilon is {epsilon}; wanted a finite number, -1 or more"):
        Poly1(epsilon=epsilon)
