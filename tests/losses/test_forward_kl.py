"""KL(teacher ‖ scores) against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from losses.case import gradient
from losses.teachers import NO_MASS, beside, taught
from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, ForwardKL
from lossworks.scores import dense
from lossworks.scores.teacher import TopK

__all__ = ["beside"]


def formula(loss: ForwardKL, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    p, q = taught(p, y, loss.temperature)
    return loss.temperature**2 * (q * (q / p).log()).sum(-1)


ODD: dict[str, dict[str, str]] = {"": NO_MASS, "temperature=2.5": NO_MASS, "temperature=0.5": NO_MASS}


def test_by_hand() -> None:
    """The teacher says 1/2 and 1/2, the scores 1/4 and 3/4: half of log 2 and half of log 2/3."""
    teacher = dense(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    value = ForwardKL()(logits, torch.tensor(0), teacher=teacher).item()
    assert value == pytest.approx(math.log(2) / 2 + math.log(2 / 3) / 2)


def test_limits() -> None:
    """Nothing is lost where both agree; a teacher that is sure makes it cross-entropy."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    same = ForwardKL(temperature=3.0)(logits, target, teacher=dense(logits + 7, target))
    torch.testing.assert_close(same, torch.zeros(30, dtype=torch.float64), rtol=0, atol=1e-14)
    sure = dense(functional.one_hot(target, 4).double().log(), target)
    torch.testing.assert_close(ForwardKL()(logits, target, teacher=sure), CrossEntropy()(logits, target), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agrees_with_pytorch(temperature: float) -> None:
    """Values are those of its KL divergence, and the gradient is T (p - q)."""
    logits = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    theirs, target = 3 * torch.randn(40, 6, dtype=torch.float64), torch.randint(6, (40,))
    values = ForwardKL(temperature=temperature)(logits, target, teacher=dense(theirs, target))
    p, q = (logits / temperature).log_softmax(-1), (theirs / temperature).softmax(-1)
    want = temperature**2 * functional.kl_div(p, q, reduction="none").sum(-1)
    torch.testing.assert_close(values, want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(values, logits), temperature * (p.exp() - q), rtol=1e-12, atol=1e-12)


def test_a_top_k_teacher() -> None:
    """All the rest is one outcome; with all outcomes but one named, it is the whole teacher."""
    logits, theirs = torch.randn(2, 20, 5, dtype=torch.float64)
    target, q = torch.zeros(20, dtype=torch.int64), theirs.log_softmax(-1)
    whole = ForwardKL()(logits, target, teacher=dense(theirs, target))
    for k in (4, 2):
        top, ids = q.topk(k)
        values = ForwardKL()(logits, target, teacher=TopK(ids, top))
        a, b = top.exp(), logits.softmax(-1).gather(-1, ids)
        a, b = (torch.cat([x, 1 - x.sum(-1, keepdim=True)], -1) for x in (a, b))
        torch.testing.assert_close(values, (a * (a / b).log()).sum(-1), rtol=1e-9, atol=1e-9)
        assert ((values - whole).abs() < 1e-9).all() if k == 4 else (values < whole).all()


def test_what_the_teacher_rules_out_costs_nothing() -> None:
    """0 log 0 is 0, whether or not the scores rule it out too; what the scores alone rule out costs infinity, and no nan."""
    inf = math.inf
    logits = torch.tensor([[0.0, 0.0, -inf], [0.0, 0.0, -inf], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    theirs = torch.tensor([[0.0, 0.0, -inf], [0.0, 0.0, 0.0], [0.0, 0.0, -inf]], dtype=torch.float64)
    target = torch.zeros(3, dtype=torch.int64)
    values = ForwardKL()(logits, target, teacher=dense(theirs, target))
    assert values.tolist() == pytest.approx([0.0, inf, math.log(1.5)])
    assert gradient(values, logits).isfinite().all()


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_temperature_outside_the_domain(temperature: float) -> None:
    """A temperature is finite and above 0."""
    with pytest.raises(UsageError, match=f"temperature is {temperature}; wanted a finite number above 0"):
        ForwardKL(temperature=temperature)


def test_what_does_not_fit_is_refused() -> None:
    """A teacher is needed; a top-k one has no temperature."""
    given: dict[str, Any] = {"logits": torch.zeros(3), "target": torch.tensor(0)}
    for temperature in (1.0, 2.0):
        with pytest.raises(UsageError, match="compares with a teacher, and the scores have none"):
            ForwardKL(temperature=temperature)(given["logits"], given["target"])
    teacher = TopK(torch.tensor([0]), torch.tensor([-1.0]))
    with pytest.raises(UsageError, match=r"temperature is 2.0, and a top-k teacher cannot be softened.* Use temperature=1, or"):
        ForwardKL(temperature=2.0)(given["logits"], given["target"], teacher=teacher)
