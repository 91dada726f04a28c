"""The logit penalty against numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.losses import CrossEntropy, LogitPenalty, build

ODD: dict[str, dict[str, str]] = {
    "": {
        "learns": "it is a term to add to a loss, and says nothing of the target",
        "shift_invariance": "the logits themselves are what it holds near 0",
    }
}


def test_by_hand() -> None:
    """Logits 1, -2 and 3: 14/3, and a gradient of 2/3 of each."""
    logits = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    value = LogitPenalty()(logits, torch.tensor(0))
    assert value.item() == pytest.approx(14 / 3)
    assert torch.autograd.grad(value, logits)[0].tolist() == pytest.approx([2 / 3, -4 / 3, 2])


def test_is_the_mean_square() -> None:
    """Though it is read from log-probabilities and their normaliser; large common shifts included."""
    logits, target = 3 * torch.randn(40, 6, dtype=torch.float64) + 100 * torch.randn(40, 1), torch.randint(6, (40,))
    torch.testing.assert_close(LogitPenalty()(logits, target), logits.square().mean(-1), rtol=1e-12, atol=1e-12)


def test_impossible_outcomes_count_nothing() -> None:
    """Neither in the value nor in the gradient."""
    logits = torch.tensor([2.0, -math.inf], dtype=torch.float64, requires_grad=True)
    value = LogitPenalty()(logits, torch.tensor(0))
    assert value.item() == 2.0
    assert torch.autograd.grad(value, logits)[0].tolist() == [2.0, 0.0]


def test_as_a_term() -> None:
    """A spec and an expression."""
    assert build("cross_entropy+0.01*logit_penalty") == CrossEntropy() + 0.01 * LogitPenalty()
