"""The Jensen-Shannon divergence against numbers worked by hand, SciPy and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from losses.teachers import beside, taught
from lossworks.core.errors import UsageError
from lossworks.losses import ForwardKL, JensenShannon, ReverseKL
from lossworks.scores import dense
from lossworks.scores.teacher import TopK

__all__ = ["beside"]


def formula(loss: JensenShannon, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    p, q = taught(p, y, loss.temperature)
    m = loss.beta * q + (1 - loss.beta) * p
    apart = loss.beta * (q * (q / m).log()).sum(-1) + (1 - loss.beta) * (p * (p / m).log()).sum(-1)
    return loss.temperature**2 * apart


ODD: dict[str, dict[str, str]] = {"beta=0.1": {}, "beta=0.95,temperature=2": {}, "temperature=0.5": {}}


def test_by_hand() -> None:
    """The teacher says 1/2 and 1/2, the scores 1/4 and 3/4; half of each is 3/8 and 5/8."""
    teacher = dense(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    value = JensenShannon()(logits, torch.tensor(0), teacher=teacher).item()
    forward, reverse = math.log(4 / 3) / 2 + math.log(4 / 5) / 2, math.log(2 / 3) / 4 + 3 * math.log(6 / 5) / 4
    assert value == pytest.approx((forward + reverse) / 2)


def test_limits() -> None:
    """Nothing is lost where both agree; at the ends, divided by beta or 1 - beta, it is the forward or reverse divergence."""
    logits, theirs = torch.randn(2, 30, 4, dtype=torch.float64)
    target = torch.zeros(30, dtype=torch.int64)
    same = JensenShannon(temperature=3.0)(logits, target, teacher=dense(logits + 7, target))
    torch.testing.assert_close(same, torch.zeros(30, dtype=torch.float64), rtol=0, atol=1e-14)
    for beta, plain in ((1e-7, ForwardKL()), (1 - 1e-7, ReverseKL())):
        teacher = dense(theirs, target)
        values = JensenShannon(beta=beta)(logits, target, teacher=teacher) / min(beta, 1 - beta)
        torch.testing.assert_close(values, plain(logits, target, teacher=teacher), rtol=1e-5, atol=1e-5)


def test_agrees_with_scipy() -> None:
    """SciPy's Jensen-Shannon distance is the root of it; the divergence is the same from either side."""
    distance = pytest.importorskip("scipy.spatial.distance").jensenshannon
    logits, theirs = torch.randn(2, 30, 4, dtype=torch.float64)
    target = torch.zeros(30, dtype=torch.int64)
    values = JensenShannon()(logits, target, teacher=dense(theirs, target))
    want = distance(logits.softmax(-1).numpy(), theirs.softmax(-1).numpy(), axis=-1) ** 2
    torch.testing.assert_close(values, torch.from_numpy(want), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(values, JensenShannon()(theirs, target, teacher=dense(logits, target)), rtol=1e-10, atol=1e-12)


def test_never_infinite() -> None:
    """Where both share nothing it is the entropy of a coin with chance beta; what is impossible for either gives no nan."""
    inf = math.inf
    logits = torch.tensor([[0.0, -inf, -inf], [0.0, 0.0, -inf]], dtype=torch.float64, requires_grad=True)
    theirs = torch.tensor([[-inf, 0.0, -inf], [-inf, -inf, 0.0]], dtype=torch.float64)
    target = torch.zeros(2, dtype=torch.int64)
    for beta in (0.5, 0.2):
        values = JensenShannon(beta=beta)(logits, target, teacher=dense(theirs, target))
        assert values.tolist() == pytest.approx([-beta * math.log(beta) - (1 - beta) * math.log(1 - beta)] * 2)
        assert gradient(values, logits).isfinite().all()


def test_a_top_k_teacher() -> None:
    """All the rest is one outcome."""
    logits, theirs = torch.randn(2, 20, 5, dtype=torch.float64)
    top, ids = theirs.log_softmax(-1).topk(2)
    values = JensenShannon()(logits, torch.zeros(20, dtype=torch.int64), teacher=TopK(ids, top))
    p, q = (torch.cat([x, 1 - x.sum(-1, keepdim=True)], -1) for x in (logits.softmax(-1).gather(-1, ids), top.exp()))
    m = (p + q) / 2
    torch.testing.assert_close(values, ((q * (q / m).log()) + (p * (p / m).log())).sum(-1) / 2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5, math.nan])
def test_beta_outside_the_domain(beta: float) -> None:
    """At the ends it would be 0 whatever the scores."""
    with pytest.raises(UsageError, match=f"beta is {beta}; wanted more than 0 and less than 1. At the ends, use forward_kl"):
        JensenShannon(beta=beta)


def test_what_does_not_fit_is_refused() -> None:
    """A temperature is finite and above 0, and a top-k teacher has none."""
    with pytest.raises(UsageError, match=r"temperature is 0.0; wanted a finite number above 0"):
        JensenShannon(temperature=0.0)
    teacher = TopK(torch.tensor([0]), torch.tensor([-1.0]))
    with pytest.raises(UsageError, match="a top-k teacher cannot be softened"):
        JensenShannon(temperature=2.0)(torch.zeros(3), torch.tensor(0), teacher=teacher)
