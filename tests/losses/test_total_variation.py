"""Total variation against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from losses.teachers import beside, taught
from lossworks.core.errors import UsageError
from lossworks.losses import TotalVariation
from lossworks.scores import dense
from lossworks.scores.teacher import TopK

__all__ = ["beside"]


def formula(loss: TotalVariation, p: Tensor, y: Tensor) -> Tensor:
    """The part of p that is above q, which is as much as is below."""
    p, q = taught(p, y)
    return (p - q).clamp_min(0).sum(-1)


ODD: dict[str, dict[str, str]] = {}


def test_by_hand() -> None:
    """The teacher says 1/2 and 1/2, the scores 1/4 and 3/4: 1/4 would have to move."""
    teacher = dense(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    assert TotalVariation()(logits, torch.tensor(0), teacher=teacher).item() == pytest.approx(0.25)


def test_limits() -> None:
    """0 where both agree; 1 - p_y where the teacher is sure of y; 1 where they share nothing, without nan."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    assert TotalVariation()(logits, target, teacher=dense(logits, target)).tolist() == [0.0] * 30
    sure = dense(torch.nn.functional.one_hot(target, 4).double().log(), target)
    missed = 1 - logits.softmax(-1).gather(-1, target[:, None])[:, 0]
    torch.testing.assert_close(TotalVariation()(logits, target, teacher=sure), missed, rtol=1e-12, atol=1e-12)
    apart = torch.tensor([0.0, -math.inf], requires_grad=True)
    value = TotalVariation()(apart, torch.tensor(0), teacher=dense(torch.tensor([-math.inf, 0.0]), torch.tensor(0)))
    assert value.item() == 1.0
    assert gradient(value, apart).tolist() == [0.0, 0.0]


def test_the_gradient() -> None:
    """Is the docstring's."""
    logits, theirs = torch.randn(2, 30, 4, dtype=torch.float64)
    target = torch.zeros(30, dtype=torch.int64)
    p, sign = logits.softmax(-1), (logits.softmax(-1) - theirs.softmax(-1)).sign()
    slope = gradient(TotalVariation()(logits.requires_grad_(), target, teacher=dense(theirs, target)), logits)
    stated = p * (sign - (p * sign).sum(-1, keepdim=True)) / 2
    torch.testing.assert_close(slope, stated, rtol=1e-12, atol=1e-12)


def test_a_top_k_teacher() -> None:
    """All the rest is one outcome."""
    logits, theirs = torch.randn(2, 20, 5, dtype=torch.float64)
    top, ids = theirs.log_softmax(-1).topk(2)
    values = TotalVariation()(logits, torch.zeros(20, dtype=torch.int64), teacher=TopK(ids, top))
    apart = logits.softmax(-1).gather(-1, ids) - top.exp()
    torch.testing.assert_close(values, (apart.abs().sum(-1) + apart.sum(-1).abs()) / 2, rtol=1e-9, atol=1e-9)


def test_a_teacher_is_needed() -> None:
    """Scores without one are refused."""
    with pytest.raises(UsageError, match="compares with a teacher, and the scores have none"):
        TotalVariation()(torch.zeros(3), torch.tensor(0))
