"""Soft targets against numbers worked by hand and PyTorch's cross-entropy with probabilities."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, SoftTargets
from lossworks.scores import dense
from lossworks.scores.teacher import TopK


def formula(loss: SoftTargets, p: Tensor, y: Tensor) -> Tensor:
    """Against the teacher that ``beside`` gives."""
    return -((3 * y).softmax(-1) * p.log()).sum(-1)


def beside(target: Tensor, classes: int) -> dict[str, Any]:
    """A teacher that is fairly sure of the target."""
    return {"teacher": dense(3 * (target.unsqueeze(-1) == torch.arange(classes)).double(), target)}


ODD: dict[str, dict[str, str]] = {
    "": {"finite_where_possible": "the teacher holds every outcome possible, so an impossible one costs infinity"}
}


def test_by_hand() -> None:
    """Probabilities 1/4 and 3/4, the teacher's 1/2 and 1/2: the mean of log 4 and log(4/3)."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    value = SoftTargets()(logits, torch.tensor(0), teacher=dense(torch.zeros(2), torch.tensor(0)))
    assert value.item() == pytest.approx((math.log(4) + math.log(4 / 3)) / 2)


def test_agrees_with_pytorch() -> None:
    """Values and gradients are those of cross-entropy with probabilities; the teacher gets no gradient."""
    logits, q = torch.randn(2, 40, 6, dtype=torch.float64, requires_grad=True)
    target = torch.randint(6, (40,))
    want = cross_entropy(logits, q.detach().softmax(-1), reduction="none")
    pair = SoftTargets()(logits, target, teacher=dense(q, target)), want
    torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in pair), rtol=1e-12, atol=1e-12)
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(SoftTargets()(logits.detach() + 0 * logits, target, teacher=dense(q, target)).sum(), q)


def test_a_sure_teacher_is_cross_entropy() -> None:
    """What it holds impossible costs nothing, even where the model agrees that it is impossible."""
    logits, target = torch.randn(30, 4), torch.randint(4, (30,))
    sure = torch.full((30, 4), -math.inf).scatter(-1, target[:, None], 0.0)
    torch.testing.assert_close(SoftTargets()(logits, target, teacher=dense(sure, target)), CrossEntropy()(logits, target))
    agreed = logits.masked_fill(torch.arange(4) == (target[:, None] + 1) % 4, -math.inf).requires_grad_()
    values = SoftTargets()(agreed, target, teacher=dense(sure, target))
    assert values.isfinite().all()
    assert torch.autograd.grad(values.sum(), agreed)[0].isfinite().all()


def test_least_where_the_model_says_the_same() -> None:
    """There it is the teacher's entropy, and its gradient is 0."""
    logits, target = torch.randn(30, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (30,))
    teacher = dense(logits.detach(), target)
    values = SoftTargets()(logits, target, teacher=teacher)
    torch.testing.assert_close(values, teacher.entropy, rtol=1e-12, atol=1e-12)
    assert torch.autograd.grad(values.sum(), logits)[0].abs().max() < 1e-14


def test_a_teacher_of_k_outcomes() -> None:
    """Two of four outcomes named: these, and the other two as one."""
    logits, target = torch.zeros(1, 4, dtype=torch.float64), torch.tensor([0])
    teacher = TopK(torch.tensor([[2, 0]]), torch.tensor([[0.5, 0.3]], dtype=torch.float64).log())
    value = SoftTargets()(logits, target, teacher=teacher)
    assert value.item() == pytest.approx(0.8 * math.log(4) + 0.2 * math.log(2))


def test_a_teacher_is_needed() -> None:
    """Without one there is nothing to compare with."""
    with pytest.raises(UsageError, match=r"the scores have none. Give teacher="):
        SoftTargets()(torch.zeros(3), torch.tensor(0))
