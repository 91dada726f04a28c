"""The asymmetric loss against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from lossworks import scores
from lossworks.core.errors import UsageError
from lossworks.losses import Asymmetric, BinaryCrossEntropy


def formula(loss: Asymmetric, p: Tensor, y: Tensor) -> Tensor:
    """As the paper has it; p[:, 0] and ``rest`` are what is left to 1 of a probability, without cancellation."""
    positive = p[:, 0] ** loss.gamma_positive * p[:, 1].log()
    shifted, rest = (p[:, 1] - loss.clip).clamp_min(0), (p[:, 0] + loss.clip).clamp_max(1)
    negative = shifted**loss.gamma_negative * rest.log()
    return -torch.where(y[:, 1] == 1, positive, negative)


_SIDES = {"class_order": "what is and what is not are treated apart"}
ODD: dict[str, dict[str, str]] = {
    "": _SIDES,
    "gamma_positive=0,gamma_negative=0,clip=0": {},
    "gamma_positive=2,gamma_negative=2,clip=0": {},
    "gamma_positive=0.5,gamma_negative=0.3,clip=0": _SIDES,
    "gamma_positive=1,gamma_negative=2.5,clip=0.3": _SIDES,
    "gamma_negative=0,clip=1e-6": _SIDES,
}


def test_by_hand() -> None:
    """A probability of 3/4; where it is not, and 1/4 is let go, 1/2 is left: (1/2)² log 2."""
    logits, target = torch.full((2,), math.log(3), dtype=torch.float64), torch.tensor([1, 0])
    values = Asymmetric(gamma_positive=1.0, gamma_negative=2.0, clip=0.25)(scores.binary(logits, target))
    assert values.tolist() == pytest.approx([math.log(4 / 3) / 4, math.log(2) / 4])


def test_limits() -> None:
    """Nothing focused and nothing let go is binary cross-entropy; equal gammas are -(1 - p)^gamma log p of the truth."""
    view = scores.binary(torch.randn(30, dtype=torch.float64), torch.randint(2, (30,)))
    plain = Asymmetric(gamma_positive=0.0, gamma_negative=0.0, clip=0.0)
    torch.testing.assert_close(plain(view), BinaryCrossEntropy()(view), rtol=1e-12, atol=1e-12)
    focal = Asymmetric(gamma_positive=3.0, gamma_negative=3.0, clip=0.0)
    torch.testing.assert_close(focal(view), -((1 - view.logp.exp()) ** 3) * view.logp, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 4.0])
def test_easy_negatives_are_let_go(gamma: float) -> None:
    """What is not, and has a probability below clip, costs nothing and moves nothing; above it does."""
    logits = torch.tensor([-9e3, -40.0, -3.0, -1.0], dtype=torch.float64, requires_grad=True)
    values = Asymmetric(gamma_negative=gamma)(scores.binary(logits, torch.zeros(4, dtype=torch.int64)))
    slope = gradient(values, logits)
    assert values[:3].tolist() == [0.0] * 3
    assert slope[:3].tolist() == [0.0] * 3
    assert values[3] > 0
    assert slope[3] > 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gamma_positive": -1.0}, "gamma_positive is -1.0; wanted a finite number, 0 or more"),
        ({"gamma_negative": math.inf}, "gamma_negative is inf; wanted a finite number, 0 or more"),
        ({"clip": 1.0}, "clip is 1.0; wanted 0 or more and less than 1"),
        ({"clip": math.nan}, "clip is nan"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, float], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        Asymmetric(**keys)
