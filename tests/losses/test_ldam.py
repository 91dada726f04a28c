"""LDAM against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import LDAM, CrossEntropy


def formula(loss: LDAM, p: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of log-probabilities, which are logits too, with the margin taken off the target's."""
    wide = p.new_tensor(loss.counts) ** -0.25
    z = loss.scale * (p.log() - y * loss.max_margin * wide / wide.max())
    return -(y * z.log_softmax(-1)).sum(-1)


ODD: dict[str, dict[str, str]] = {
    "counts=100/1/10/5": {},
    "counts=3/1000000,max_margin=4": {},
    "counts=1/2/4,max_margin=0,scale=0.2": {},
    "counts=7/7/2,scale=3": {},
}


def test_by_hand() -> None:
    """Counts 16 and 1: margins 0.25 and 0.5, so equal logits scaled by 2 leave the target behind by 0.5 and 1."""
    loss = LDAM(counts=(16, 1), scale=2.0)
    got = loss(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])).tolist()
    assert got == pytest.approx([math.log1p(math.exp(0.5)), math.log1p(math.exp(1))])


def test_limit_is_cross_entropy() -> None:
    """Without a margin it is that of the scaled logits."""
    logits, target = torch.randn(30, 3, dtype=torch.float64), torch.randint(3, (30,))
    got = LDAM(counts=(1, 2, 3), max_margin=0.0, scale=30.0)(logits, target)
    torch.testing.assert_close(got, CrossEntropy()(30 * logits, target), rtol=1e-12, atol=1e-12)


def test_counts_are_needed() -> None:
    """Without them there is no margin; ``with_counts`` fills them in, and leaves those that are there."""
    with pytest.raises(UsageError, match=r"counts are empty. Give counts=\(…\)"):
        LDAM()(torch.zeros(3), torch.tensor(0))
    assert LDAM(scale=9.0).with_counts((1, 2)) == LDAM(scale=9.0, counts=(1, 2))
    assert LDAM(counts=(3, 4)).with_counts((1, 2)) == LDAM(counts=(3, 4))
    with pytest.raises(UsageError, match="counts: got 2 values for 3 classes"):
        LDAM(counts=(1.0, 2.0))(torch.zeros(3), torch.tensor(0))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"counts": (3.0, 0.0)}, r"counts are \(3.0, 0.0\); wanted finite numbers above 0, one a class"),
        ({"counts": (math.nan,)}, "counts are"),
        ({"max_margin": -1.0}, "max_margin is -1.0; wanted a finite number, 0 or more"),
        ({"scale": 0.0}, "scale is 0.0; wanted a finite number above 0"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        LDAM(**keys)
