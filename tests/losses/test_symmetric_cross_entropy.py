"""Symmetric cross-entropy against numbers worked by hand and the sums of its definition."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, SymmetricCrossEntropy


def formula(loss: SymmetricCrossEntropy, p: Tensor, y: Tensor) -> Tensor:
    """Both cross-entropies summed over all outcomes, with log 0 put in by hand."""
    log_y = loss.log_zero * (1 - y)
    return -loss.alpha * (y * p.log()).sum(-1) - loss.beta * (p * log_y).sum(-1)


ODD: dict[str, dict[str, str]] = {
    "alpha=1,beta=0": {},
    "alpha=0,beta=1": {},
    "alpha=6,beta=0.1,log_zero=-6": {},
    "log_zero=-0.01": {},
}


def test_by_hand() -> None:
    """Probability 3/4: 0.1 log(4/3), and 4 times the quarter that is left."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert SymmetricCrossEntropy()(logits, torch.tensor(1)).item() == pytest.approx(0.1 * math.log(4 / 3) + 1)


def test_limits() -> None:
    """beta = 0 is cross-entropy alone; log_zero = -2 and alpha = 0 the absolute error Σ |p - y|."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    only = SymmetricCrossEntropy(alpha=3.0, beta=0.0)(logits, target)
    torch.testing.assert_close(only, 3 * CrossEntropy()(logits, target), rtol=1e-12, atol=1e-12)
    absolute = (logits.softmax(-1) - torch.eye(4)[target]).abs().sum(-1)
    reverse = SymmetricCrossEntropy(alpha=0.0, beta=1.0, log_zero=-2.0)(logits, target)
    torch.testing.assert_close(reverse, absolute, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"alpha": -1.0}, "alpha is -1.0, beta 1.0; wanted finite numbers, none below 0"),
        ({"alpha": 0.0, "beta": 0.0}, "not both 0"),
        ({"beta": math.inf}, "beta inf"),
        ({"log_zero": 0.0}, "log_zero is 0.0; wanted a finite number below 0"),
        ({"log_zero": -math.inf}, "log_zero is -inf"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        SymmetricCrossEntropy(**keys)
