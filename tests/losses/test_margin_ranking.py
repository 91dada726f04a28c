"""The margin ranking loss against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import margin_ranking_loss

from lossworks.core.errors import UsageError
from lossworks.losses import MarginRanking


def formula(loss: MarginRanking, first: Tensor, second: Tensor, sign: Tensor) -> Tensor:
    """By how much the higher one is not high enough."""
    high, low = torch.where(sign > 0, first, second), torch.where(sign > 0, second, first)
    return torch.where(high < low + loss.margin, low + loss.margin - high, 0.0)


def beside(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two scores a row, and which should be higher."""
    drawn = torch.randn(3, rows, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn[0].clone(), drawn[1].clone(), drawn[2].sign()


ODD: dict[str, dict[str, str]] = {"margin=0": {}, "margin=7": {}}


def test_by_hand() -> None:
    """3 against 1 wins by 2 where it should, with margin 2.5 half a point short, and loses by 2 where it should not."""
    three, one = torch.tensor([3.0, 3.0]), torch.tensor([1.0, 1.0])
    assert MarginRanking(margin=2.5).contrasts(three, one, torch.tensor([1.0, -1.0])).tolist() == [0.5, 4.5]


def test_limit() -> None:
    """Without margin the right order and equal scores cost nothing, the wrong order its difference."""
    first, second = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 3.0, 2.0])
    assert MarginRanking(margin=0.0).contrasts(first, second, torch.ones(3)).tolist() == [0.0, 2.0, 0.0]


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_agrees_with_pytorch(margin: float) -> None:
    """Value by value."""
    given = beside(40, seed=2)
    want = margin_ranking_loss(*given, margin=margin, reduction="none")
    torch.testing.assert_close(MarginRanking(margin=margin).contrasts(*given), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("margin", [-1.0, math.nan, math.inf])
def test_margin_outside_the_domain(margin: float) -> None:
    """It is finite and not below 0."""
    with pytest.raises(UsageError, match=f"margin is {margin}; wanted a finite number, 0 or more"):
        MarginRanking(margin=margin)


def test_what_does_not_fit_is_refused() -> None:
    """Three of one shape."""
    with pytest.raises(UsageError, match=r"margin_ranking: got second \(2,\), sign \(3,\) beside \(2,\)"):
        MarginRanking().contrasts(torch.zeros(2), torch.zeros(2), torch.ones(3))
