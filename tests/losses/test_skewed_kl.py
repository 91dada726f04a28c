"""The skewed KL divergences against numbers worked by hand and their limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from losses.teachers import beside, taught
from lossworks.core.errors import UsageError
from lossworks.losses import ForwardKL, ReverseKL, SkewedKL
from lossworks.scores import dense
from lossworks.scores.teacher import TopK

__all__ = ["beside"]


def formula(loss: SkewedKL, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    p, q = taught(p, y, loss.temperature)
    a, b = (p, q) if loss.reverse else (q, p)
    return loss.temperature**2 * (a * (a / (loss.alpha * a + (1 - loss.alpha) * b)).log()).sum(-1)


ODD: dict[str, dict[str, str]] = {
    "reverse=true": {},
    "alpha=0.9": {},
    "alpha=1e-4,temperature=2": {},
    "alpha=0.3,reverse=true,temperature=0.5": {},
}


def test_by_hand() -> None:
    """The teacher says 1/2 and 1/2, the scores 1/4 and 3/4; half of each is 3/8 and 5/8."""
    teacher = dense(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    value = SkewedKL(alpha=0.5)(logits, torch.tensor(0), teacher=teacher).item()
    assert value == pytest.approx(math.log(4 / 3) / 2 + math.log(4 / 5) / 2)
    value = SkewedKL(alpha=0.5, reverse=True)(logits, torch.tensor(0), teacher=teacher).item()
    assert value == pytest.approx(math.log(2 / 3) / 4 + 3 * math.log(6 / 5) / 4)


def test_limits() -> None:
    """Nothing is lost where both agree; without skew they are the forward and the reverse divergence."""
    logits, theirs = torch.randn(2, 30, 4, dtype=torch.float64)
    target = torch.zeros(30, dtype=torch.int64)
    for reverse, plain in ((False, ForwardKL()), (True, ReverseKL())):
        same = SkewedKL(reverse=reverse)(logits, target, teacher=dense(logits + 7, target))
        torch.testing.assert_close(same, torch.zeros(30, dtype=torch.float64), rtol=0, atol=1e-14)
        teacher = dense(theirs, target)
        skewed = SkewedKL(alpha=1e-10, reverse=reverse)(logits, target, teacher=teacher)
        torch.testing.assert_close(skewed, plain(logits, target, teacher=teacher), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("reverse", [False, True])
def test_never_infinite(reverse: bool) -> None:
    """Where both share nothing it is -log alpha, the most it can be; what is impossible for either gives no nan."""
    inf = math.inf
    logits = torch.tensor([[0.0, -inf, -inf], [0.0, 0.0, -inf]], dtype=torch.float64, requires_grad=True)
    theirs = torch.tensor([[-inf, 0.0, -inf], [-inf, -inf, 0.0]], dtype=torch.float64)
    target = torch.zeros(2, dtype=torch.int64)
    values = SkewedKL(alpha=0.2, reverse=reverse)(logits, target, teacher=dense(theirs, target))
    assert values.tolist() == pytest.approx([-math.log(0.2)] * 2)
    assert gradient(values, logits).isfinite().all()


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_no_number_stays_none(reverse: bool) -> None:
    """A network that has come apart is seen in its loss, from either side."""
    teacher = dense(torch.zeros(1, 3), torch.tensor([0]))
    assert SkewedKL(reverse=reverse)(torch.full((1, 3), math.nan), torch.tensor([0]), teacher=teacher).isnan().all()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_top_k_teacher(reverse: bool) -> None:
    """All the rest is one outcome."""
    logits, theirs = torch.randn(2, 20, 5, dtype=torch.float64)
    top, ids = theirs.log_softmax(-1).topk(2)
    values = SkewedKL(alpha=0.4, reverse=reverse)(logits, torch.zeros(20, dtype=torch.int64), teacher=TopK(ids, top))
    p, q = (torch.cat([x, 1 - x.sum(-1, keepdim=True)], -1) for x in (logits.softmax(-1).gather(-1, ids), top.exp()))
    a, b = (p, q) if reverse else (q, p)
    torch.testing.assert_close(values, (a * (a / (0.4 * a + 0.6 * b)).log()).sum(-1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.5, math.nan])
def test_alpha_outside_the_domain(alpha: float) -> None:
    """Neither 0, which is another loss, nor 1, which compares nothing."""
    with pytest.raises(UsageError, match=f"alpha is {alpha}; wanted more than 0 and less than 1. For 0, use forward_kl"):
        SkewedKL(alpha=alpha)


def test_what_does_not_fit_is_refused() -> None:
    """A temperature is finite and above 0, and a top-k teacher has none."""
    with pytest.raises(UsageError, match="temperature is inf; wanted a finite number above 0"):
        SkewedKL(temperature=math.inf)
    teacher = TopK(torch.tensor([0]), torch.tensor([-1.0]))
    with pytest.raises(UsageError, match="a top-k teacher cannot be softened"):
        SkewedKL(temperature=2.0)(torch.zeros(3), torch.tensor(0), teacher=teacher)
