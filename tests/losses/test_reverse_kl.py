"""KL(scores ‖ teacher) against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from losses.teachers import beside, taught
from lossworks.core.errors import UsageError
from lossworks.losses import ReverseKL
from lossworks.scores import dense
from lossworks.scores.teacher import TopK

__all__ = ["beside"]


def formula(loss: ReverseKL, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    p, q = taught(p, y, loss.temperature)
    return loss.temperature**2 * (p * (p / q).log()).sum(-1)


ODD: dict[str, dict[str, str]] = {"temperature=2.5": {}, "temperature=0.5": {}}


def test_by_hand() -> None:
    """The teacher says 1/2 and 1/2, the scores 1/4 and 3/4: log 1/2 once and log 3/2 three times, over 4."""
    teacher = dense(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    value = ReverseKL()(logits, torch.tensor(0), teacher=teacher).item()
    assert value == pytest.approx(math.log(1 / 2) / 4 + 3 * math.log(3 / 2) / 4)


def test_limits() -> None:
    """Nothing is lost where both agree; a uniform teacher makes it log V less the entropy."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    same = ReverseKL(temperature=3.0)(logits, target, teacher=dense(logits + 7, target))
    torch.testing.assert_close(same, torch.zeros(30, dtype=torch.float64), rtol=0, atol=1e-14)
    uniform = ReverseKL()(logits, target, teacher=dense(torch.zeros_like(logits), target))
    torch.testing.assert_close(uniform, math.log(4) - torch.distributions.Categorical(logits=logits).entropy())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agrees_with_pytorch(temperature: float) -> None:
    """Values are those of its KL divergence of two distributions, and the gradient is the docstring's."""
    logits = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    theirs, target = 3 * torch.randn(40, 6, dtype=torch.float64), torch.randint(6, (40,))
    values = ReverseKL(temperature=temperature)(logits, target, teacher=dense(theirs, target))
    p, q = (torch.distributions.Categorical(logits=z / temperature) for z in (logits, theirs))
    want = temperature**2 * torch.distributions.kl_divergence(p, q)
    torch.testing.assert_close(values, want, rtol=1e-12, atol=1e-12)
    ratio = p.logits - q.logits
    stated = temperature * p.probs * (ratio - (p.probs * ratio).sum(-1, keepdim=True))
    torch.testing.assert_close(gradient(values, logits), stated, rtol=1e-12, atol=1e-12)


def test_a_top_k_teacher() -> None:
    """All the rest is one outcome."""
    logits, theirs = torch.randn(2, 20, 5, dtype=torch.float64)
    top, ids = theirs.log_softmax(-1).topk(2)
    values = ReverseKL()(logits, torch.zeros(20, dtype=torch.int64), teacher=TopK(ids, top))
    a, b = logits.softmax(-1).gather(-1, ids), top.exp()
    a, b = (torch.cat([x, 1 - x.sum(-1, keepdim=True)], -1) for x in (a, b))
    torch.testing.assert_close(values, (a * (a / b).log()).sum(-1), rtol=1e-9, atol=1e-9)


def test_what_the_scores_rule_out_costs_nothing() -> None:
    """0 log 0 is 0, whether or not the teacher rules it out too; what the teacher alone rules out costs infinity, and no nan."""
    inf = math.inf
    theirs = torch.tensor([[0.0, 0.0, -inf], [0.0, 0.0, -inf], [0.0, 0.0, 0.0]], dtype=torch.float64)
    logits = torch.tensor([[0.0, 0.0, -inf], [0.0, 0.0, 0.0], [0.0, 0.0, -inf]], dtype=torch.float64, requires_grad=True)
    target = torch.zeros(3, dtype=torch.int64)
    values = ReverseKL()(logits, target, teacher=dense(theirs, target))
    assert values.tolist() == pytest.approx([0.0, inf, math.log(1.5)])
    assert gradient(values, logits).isfinite().all()


def test_what_does_not_fit_is_refused() -> None:
    """A temperature is finite and above 0, and a top-k teacher has none."""
    with pytest.raises(UsageError, match=r"temperature is -1.0; wanted a finite number above 0"):
        ReverseKL(temperature=-1.0)
    teacher = TopK(torch.tensor([0]), torch.tensor([-1.0]))
    with pytest.raises(UsageError, match="a top-k teacher cannot be softened"):
        ReverseKL(temperature=2.0)(torch.zeros(3), torch.tensor(0), teacher=teacher)
