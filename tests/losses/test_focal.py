"""Focal loss against numbers worked by hand and its binary form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lossworks import scores
from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, Focal


def formula(loss: Focal, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    own = (p * y).sum(-1)
    weight = (y * p.new_tensor(loss.class_weights or (1.0,) * y.shape[-1])).sum(-1)
    return -weight * (1 - own) ** loss.gamma * own.log()


ODD: dict[str, dict[str, str]] = {
    "gamma=0": {},
    "gamma=0.5": {},
    "gamma=1": {},
    "gamma=5": {},
    "gamma=0.3,class_weights=0.25/3/0/1": {},
    "class_weights=0.75/0.25": {},
}


def test_by_hand() -> None:
    """Probability 3/4: (1/4)² log(4/3)."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert Focal()(logits, torch.tensor(1)).item() == pytest.approx(math.log(4 / 3) / 16)
    assert Focal(class_weights=(1, 8))(logits, torch.tensor(1)).item() == pytest.approx(math.log(4 / 3) / 2)


def test_limit_is_cross_entropy() -> None:
    """Value and gradient with gamma = 0, with weights and without."""
    logits, target = torch.randn(30, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (30,))
    for weights in ((), (0.5, 2.0, 1.0, 0.0)):
        pair = [loss(logits, target) for loss in (Focal(gamma=0.0, class_weights=weights), CrossEntropy(class_weights=weights))]
        torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in pair), rtol=1e-12, atol=1e-12)


def test_binary() -> None:
    """Over one logit an outcome it is α (1 - p)^γ times PyTorch's binary cross-entropy."""
    logits, target, alpha = 3 * torch.randn(50, dtype=torch.float64), torch.randint(2, (50,)), 0.25
    own = torch.where(target == 1, logits.sigmoid(), 1 - logits.sigmoid())
    plain = binary_cross_entropy_with_logits(logits, target.double(), reduction="none")
    want = torch.where(target == 1, alpha, 1 - alpha) * (1 - own) ** 2 * plain
    loss = Focal(class_weights=(1 - alpha, alpha))
    torch.testing.assert_close(loss(scores.binary(logits, target)), want, rtol=1e-10, atol=1e-14)


def test_a_sure_target_has_a_finite_slope() -> None:
    """At p = 1 exactly the derivative of (1 - p)^gamma is infinite for gamma < 1; value and gradient are 0 all the same."""
    logits = torch.tensor([1e3, 0.0], requires_grad=True)
    value = Focal(gamma=0.1)(logits, torch.tensor(0))
    assert value.item() == 0
    assert torch.autograd.grad(value, logits)[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gamma": -0.1}, "gamma is -0.1; wanted a finite number, 0 or more"),
        ({"gamma": math.inf}, "gamma is inf"),
        ({"class_weights": (1.0, -1.0)}, "class_weights are .*; wanted finite numbers, none below 0"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        Focal(**keys)
