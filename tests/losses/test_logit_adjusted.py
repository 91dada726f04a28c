"""Logit-adjusted cross-entropy against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, LogitAdjusted


def formula(loss: LogitAdjusted, p: Tensor, y: Tensor) -> Tensor:
    """Probabilities times priors to the tau, made to sum to 1 again."""
    prior = p.new_tensor(loss.counts) / sum(loss.counts)
    weighed = p * prior**loss.tau
    return -((weighed * y).sum(-1) / weighed.sum(-1)).log()


ODD: dict[str, dict[str, str]] = {
    "counts=100/1/10/5": {},
    "counts=3/1000000,tau=2": {},
    "counts=1/2/4,tau=-0.5": {},
    "counts=1/2/4,tau=0": {},
}


def test_by_hand() -> None:
    """Counts 3 and 1, equal logits: the adjusted probabilities are 3/4 and 1/4."""
    loss = LogitAdjusted(counts=(3, 1))
    got = loss(torch.zeros(2, 2, dtype=torch.float64), torch.tensor([0, 1])).tolist()
    assert got == pytest.approx([math.log(4 / 3), math.log(4)])


def test_limits() -> None:
    """tau = 0 and equal counts are cross-entropy; only the counts' proportions matter."""
    logits, target = torch.randn(30, 3, dtype=torch.float64), torch.randint(3, (30,))
    plain = CrossEntropy()(logits, target)
    for loss in (LogitAdjusted(counts=(1, 2, 3), tau=0.0), LogitAdjusted(counts=(5, 5, 5))):
        torch.testing.assert_close(loss(logits, target), plain, rtol=1e-12, atol=1e-12)
    pair = (LogitAdjusted(counts=counts)(logits, target) for counts in ((1, 2, 3), (10, 20, 30)))
    torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)


def test_the_best_logits_forget_the_frequencies() -> None:
    """Fitted to labels that come 9 to 1 whatever the text, the logits of the two classes end up equal."""
    logits = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    for _ in range(500):
        values = LogitAdjusted(counts=(9, 1))(logits.expand(2, 2), torch.tensor([0, 1]))
        slope = torch.autograd.grad(values @ torch.tensor([0.9, 0.1], dtype=torch.float64), logits)[0]
        logits = (logits - 2 * slope).detach().requires_grad_()
    assert (logits[0] - logits[1]).item() == pytest.approx(0, abs=1e-6)


def test_counts_are_needed() -> None:
    """Without them there are no priors; ``with_counts`` fills them in."""
    with pytest.raises(UsageError, match=r"counts are empty. Give counts=\(…\)"):
        LogitAdjusted()(torch.zeros(3), torch.tensor(0))
    assert LogitAdjusted(tau=2.0).with_counts((1, 2)) == LogitAdjusted(tau=2.0, counts=(1, 2))
    with pytest.raises(UsageError, match="counts: got 2 values for 3 classes"):
        LogitAdjusted(counts=(1.0, 2.0))(torch.zeros(3), torch.tensor(0))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"counts": (3.0, -1.0)}, r"counts are \(3.0, -1.0\); wanted finite numbers above 0, one a class"),
        ({"tau": math.inf}, "tau is inf; wanted a finite number"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        LogitAdjusted(**keys)
