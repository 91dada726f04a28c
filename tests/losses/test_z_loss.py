"""The z-loss against numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.losses import CrossEntropy, ZLoss, build

ODD: dict[str, dict[str, str]] = {
    "": {
        "learns": "it is a term to add to a loss, and says nothing of the target",
        "shift_invariance": "the normaliser, which shifts with the logits, is what it holds near 0",
    }
}


def test_by_hand() -> None:
    """Logits 0 and log 3 have the normaliser log 4, whatever the target; the gradient is 2 log 4 times 1/4 and 3/4."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64, requires_grad=True)
    for target in (0, 1):
        value = ZLoss()(logits, torch.tensor(target))
        assert value.item() == pytest.approx(math.log(4) ** 2)
        assert torch.autograd.grad(value, logits)[0].tolist() == pytest.approx([math.log(4) / 2, 1.5 * math.log(4)])


def test_log_probabilities_cost_nothing() -> None:
    """Logits that are normalised already are where it is least."""
    logits = torch.randn(30, 4, dtype=torch.float64).log_softmax(-1)
    assert ZLoss()(logits, torch.zeros(30, dtype=torch.int64)).max() < 1e-28


def test_as_a_term() -> None:
    """Added to cross-entropy it holds the normaliser at 0, which cross-entropy alone leaves where it is."""
    loss = build("cross_entropy+0.1*z_loss")
    assert loss == CrossEntropy() + 0.1 * ZLoss()
    for each, normaliser in ((loss, 0), (CrossEntropy(), 5 + math.log(2))):
        logits = torch.tensor([5.0, 5.0], dtype=torch.float64, requires_grad=True)
        for _ in range(300):
            slope = torch.autograd.grad(each(logits.expand(2, 2), torch.tensor([0, 1])).mean(), logits)[0]
            logits = (logits - slope).detach().requires_grad_()
        assert logits.detach().logsumexp(-1).item() == pytest.approx(normaliser, abs=1e-6)
