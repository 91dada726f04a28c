"""Odds-ratio preference optimisation against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import ORPO, Pairs


def formula(loss: ORPO, pairs: Pairs) -> Tensor:
    """On probabilities a token."""
    c, r = (pairs.chosen / pairs.chosen_length).exp(), (pairs.rejected / pairs.rejected_length).exp()
    odds = (c / (1 - c)) / (r / (1 - r))
    return -c.log() - loss.strength * (odds / (1 + odds)).log()


ODD: dict[str, dict[str, str]] = {"strength=2.5": {}}


def pair(chosen: float, rejected: float, dtype: torch.dtype = torch.float64) -> Pairs:
    """Answers of 2 and 3 tokens, from their log-probability a token."""
    return Pairs(
        chosen=torch.tensor(2 * chosen, dtype=dtype),
        rejected=torch.tensor(3 * rejected, dtype=dtype),
        chosen_length=torch.tensor(2),
        rejected_length=torch.tensor(3),
    )


def test_by_hand() -> None:
    """Probabilities a token of 3/4 and 1/2: odds of 3 and 1, so σ is 3/4."""
    value = ORPO(strength=0.5).preferences(pair(math.log(3 / 4), math.log(1 / 2))).item()
    assert value == pytest.approx(math.log(4 / 3) + 0.5 * math.log(4 / 3))


def test_limits() -> None:
    """Without strength it is the chosen answer's negative log-likelihood a token; equal answers add strength · log 2."""
    assert ORPO(strength=0.0).preferences(pair(-1.5, -2.0)).item() == pytest.approx(1.5)
    assert ORPO(strength=0.3).preferences(pair(-1.5, -1.5)).item() == pytest.approx(1.5 + 0.3 * math.log(2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_odds_near_certainty(dtype: torch.dtype) -> None:
    """A token's log-probability of -1e-12 has odds of 1e12, and one of -50 odds of e^-50: both are kept."""
    for sure in (-1e-12, -1e-30):
        value = ORPO(strength=1.0).preferences(pair(-1.0, sure, dtype)).item()
        odds = math.log(math.exp(-1) / (1 - math.exp(-1)))
        assert value == pytest.approx(1.0 + (-math.log(-sure) - odds), rel=1e-6)
    assert ORPO(strength=1.0).preferences(pair(-50.0, -1.0, dtype)).item() == pytest.approx(100.0 + odds, rel=1e-6)


@pytest.mark.parametrize("strength", [-0.1, math.nan, math.inf])
def test_strength_outside_the_domain(strength: float) -> None:
    """It is finite and not below 0."""
    with pytest.raises(UsageError, match=f"strength is {strength}; wanted a finite number, 0 or more"):
        ORPO(strength=strength)


def test_lengths_must_be_given() -> None:
    """It reads averages."""
    with pytest.raises(UsageError, match="reads averages, and the pairs have no lengths"):
        ORPO().preferences(Pairs(chosen=torch.zeros(2), rejected=torch.zeros(2)))
