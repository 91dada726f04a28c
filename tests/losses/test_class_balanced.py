"""Class-balanced loss against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import ClassBalanced, CrossEntropy, Focal


def formula(loss: ClassBalanced, p: Tensor, y: Tensor) -> Tensor:
    """With the effective numbers of the paper, summed as the geometric series that they are."""
    effective = torch.stack([sum(p.new_tensor(loss.beta) ** i for i in range(int(n))) for n in loss.counts])
    weight = (1 / effective) / (1 / effective).mean()
    own = (p * y).sum(-1)
    return -(y * weight).sum(-1) * (1 - own) ** loss.gamma * own.log()


ODD: dict[str, dict[str, str]] = {
    "counts=100/1/10/5": {},
    "counts=3/500,beta=0.9": {},
    "counts=1/2/4,beta=0,gamma=0.5": {},
    "counts=1/20/4,beta=0.999999,gamma=2": {},
}


def test_by_hand() -> None:
    """beta = 1/2 and counts 1, 2: effective numbers 1 and 1.5, so weights 1.2 and 0.8."""
    loss = ClassBalanced(counts=(1, 2), beta=0.5)
    assert loss.class_weights(torch.tensor(loss.counts)).tolist() == pytest.approx([1.2, 0.8])
    got = loss(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])).tolist()
    assert got == pytest.approx([1.2 * math.log(2), 0.8 * math.log(2)])


def test_limits() -> None:
    """beta = 0 weighs nothing; beta → 1 weighs by 1 / counts; gamma is focal's."""
    logits, target = torch.randn(30, 3, dtype=torch.float64), torch.randint(3, (30,))
    plain = ClassBalanced(counts=(1, 2, 4), beta=0.0)(logits, target)
    torch.testing.assert_close(plain, CrossEntropy()(logits, target), rtol=1e-12, atol=1e-12)
    counts = torch.tensor([1.0, 2.0, 4.0])
    assert ClassBalanced(beta=1 - 1e-9).class_weights(counts).tolist() == pytest.approx([12 / 7, 6 / 7, 3 / 7], rel=1e-6)
    focal = ClassBalanced(counts=(1, 2, 4), beta=0.0, gamma=3.0)(logits, target)
    torch.testing.assert_close(focal, Focal(gamma=3.0)(logits, target), rtol=1e-12, atol=1e-12)


def test_counts_are_needed() -> None:
    """Without them there are no weights; ``with_counts`` fills them in."""
    with pytest.raises(UsageError, match=r"counts are empty. Give counts=\(…\)"):
        ClassBalanced()(torch.zeros(3), torch.tensor(0))
    assert ClassBalanced(beta=0.5).with_counts((1, 2)) == ClassBalanced(beta=0.5, counts=(1, 2))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"counts": (3.0, math.inf)}, r"counts are \(3.0, inf\); wanted finite numbers above 0, one a class"),
        ({"beta": 1.0}, "beta is 1.0; wanted at least 0 and less than 1"),
        ({"beta": -0.5}, "beta is -0.5"),
        ({"gamma": -1.0}, "gamma is -1.0; wanted a finite number, 0 or more"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        ClassBalanced(**keys)
