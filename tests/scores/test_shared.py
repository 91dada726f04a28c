"""Scores that share rows of logits are those of the rows taken apart, for every loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from losses.case import near
from losses.odd import cases
from lossworks.core.errors import UsageError
from lossworks.losses import BinaryLoss, CategoricalLoss, losses
from lossworks.scores import Shared, dense, shared

SPECS = [entry.name for entry in losses if issubclass(entry.thing, CategoricalLoss) and not issubclass(entry.thing, BinaryLoss)]
BESIDE = {"forward_kl", "jensen_shannon", "reverse_kl", "skewed_kl", "soft_targets", "total_variation", "unlikelihood"}
"""Losses that are given something besides, at each position."""
ROW = torch.tensor([2, 0, 0, 1, 2, 2])


def drawn(classes: int) -> tuple[Tensor, Tensor]:
    """Three rows of logits that ask for a gradient, and six targets."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, classes, generator=generator, dtype=torch.float64) * 2
    return logits.requires_grad_(), torch.randint(classes, (6,), generator=generator)


@pytest.mark.parametrize("name", SPECS)
def test_every_loss(name: str) -> None:
    """Values and gradients agree with dense scores of the repeated rows."""
    plain = [case for case in cases(name).values() if not case.loss.needs and not case.loss.positions_interact]
    assert plain or name in BESIDE
    for case in plain:
        loss = case.loss
        logits, target = drawn(case.classes)
        values, want = loss.values(shared(logits, ROW, target)), loss.values(dense(logits[ROW], target))
        near(values, want)
        near(torch.autograd.grad(values.sum(), logits)[0], torch.autograd.grad(want.sum(), logits)[0])


def statistics(scores: Shared, others: Tensor) -> dict[str, Tensor]:
    """All that scores say."""
    named = {
        name: getattr(scores, name)
        for name in ("logp", "mean_logp", "entropy", "logsumexp", "max_other_logp", "rest_logp", "argmax", "top", "logits")
    }
    margin = torch.arange(6, dtype=torch.float64)
    named |= {
        "square_sum": scores.square_sum(),
        "weighted": scores.square_sum(others[0].abs()),
        "expected": scores.expected_logp(others[0]),
        "expected_each": scores.expected_logp(others),
        "sum": scores.sum(lambda logp: logp.exp() * logp),
        "sum_of_classes": scores.sum(lambda logp, o: logp * o, others[0]),
        "sum_of_each": scores.sum(lambda logp, o: logp * o, others),
        "adjusted": scores.adjusted(scale=2.0, offset=others[0]).logp,
        "margin": scores.adjusted(margin=margin).logp,
        "rows": scores.rows(torch.tensor([4, 1])).logp,
    }
    return named


def test_statistics() -> None:
    """Every statistic is that of dense scores, whether read from the shared rows or from rows taken apart."""
    logits, target = drawn(5)
    others = torch.randn(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = statistics(shared(logits, ROW, target), others)
    want = statistics(dense(logits[ROW], target), others)  # type: ignore[arg-type]
    for name, value in found.items():
        near(value.double(), want[name].double())
    assert (
        shared(logits, ROW, target).explain()
        == "shared: 6 positions over logits (3, 5) whole in memory, torch.float64 read as torch.float64"
    )


def test_bad_targets() -> None:
    """A target that is no outcome is refused."""
    with pytest.raises(UsageError, match="for 5 outcomes"):
        shared(torch.zeros(3, 5), ROW, torch.full((6,), 5))
    with pytest.raises(UsageError, match="class numbers"):
        shared(torch.zeros(3, 5), ROW, torch.zeros(6))
