"""Identity preference optimisation against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import IPO, Pairs


def formula(loss: IPO, pairs: Pairs) -> Tensor:
    """The margin's distance from its goal, on ratios."""
    c, r = (pairs.chosen - pairs.reference_chosen).exp(), (pairs.rejected - pairs.reference_rejected).exp()
    if loss.per_token:
        c, r = c ** (1 / pairs.chosen_length.double()), r ** (1 / pairs.rejected_length.double())
    return ((c / r).log() - 1 / (2 * loss.tau)) ** 2


ODD: dict[str, dict[str, str]] = {"tau=0.5": {}, "tau=0.02,per_token=true": {}, "per_token=true": {}}


def pair(chosen: float, rejected: float) -> Pairs:
    """A pair of which the reference says -8 and -9, of 4 and 3 tokens."""
    numbers = {"chosen": chosen, "rejected": rejected, "reference_chosen": -8.0, "reference_rejected": -9.0}
    lengths = {"chosen_length": torch.tensor(4), "rejected_length": torch.tensor(3)}
    return Pairs(**{name: torch.tensor(number, dtype=torch.float64) for name, number in numbers.items()}, **lengths)


def test_by_hand() -> None:
    """Ratios of 2 and -3 are 5 apart, where 1/(2·0.25) = 2 was the goal; per token 0.5 and -1 are 1.5 apart."""
    assert IPO(tau=0.25).preferences(pair(-6.0, -12.0)).item() == pytest.approx(9.0)
    assert IPO(tau=0.25, per_token=True).preferences(pair(-6.0, -12.0)).item() == pytest.approx(0.25)


def test_limits() -> None:
    """At the reference 1/(4 tau²); at the goal 0; beyond the goal it rises again."""
    assert IPO(tau=0.2).preferences(pair(-8.0, -9.0)).item() == pytest.approx(1 / 0.16)
    assert IPO(tau=0.5).preferences(pair(-7.0, -9.0)).item() == pytest.approx(0.0)
    assert IPO(tau=0.5).preferences(pair(-6.0, -9.0)).item() == pytest.approx(1.0)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.inf, math.nan])
def test_tau_outside_the_domain(tau: float) -> None:
    """It is finite and above 0."""
    with pytest.raises(UsageError, match=f"tau is {tau}; wanted a finite number above 0"):
        IPO(tau=tau)


def test_what_is_needed_must_be_given() -> None:
    """A reference always, and lengths for averages."""
    zero = torch.zeros(2)
    with pytest.raises(UsageError, match="compares with a reference model, and the pairs have none"):
        IPO().preferences(Pairs(chosen=zero, rejected=zero))
    with pytest.raises(
        UsageError, match=r"reads averages, and the pairs have no lengths. Give chosen_length= and rejected_length="
    ):
        IPO(per_token=True).preferences(Pairs(chosen=zero, rejected=zero, reference_chosen=zero, reference_rejected=zero))
