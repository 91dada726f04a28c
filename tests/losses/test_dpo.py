"""Direct preference optimisation against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import DPO, Pairs


def formula(loss: DPO, pairs: Pairs) -> Tensor:
    """On odds: σ(h) is c / (c + r), with c and r the ratios to the power of beta."""
    c = (pairs.chosen - pairs.reference_chosen).exp() ** loss.beta
    r = (pairs.rejected - pairs.reference_rejected).exp() ** loss.beta
    return -(1 - loss.label_smoothing) * (c / (c + r)).log() - loss.label_smoothing * (r / (c + r)).log()


ODD: dict[str, dict[str, str]] = {"beta=0.5": {}, "beta=1e-3,label_smoothing=0.3": {}, "label_smoothing=0.1": {}}


def pair(*numbers: float) -> Pairs:
    """A pair's chosen and rejected answers by the model, and by the reference."""
    names = ("chosen", "rejected", "reference_chosen", "reference_rejected")
    given = {name: torch.tensor(number, dtype=torch.float64) for name, number in zip(names, numbers, strict=True)}
    return Pairs(**given)


def test_by_hand() -> None:
    """The chosen answer gained log 6, the rejected lost log 2: with beta 1 the odds are 12 to 1."""
    given = pair(math.log(0.6), math.log(0.1), math.log(0.1), math.log(0.2))
    assert DPO(beta=1.0).preferences(given).item() == pytest.approx(math.log(13 / 12))
    smoothed = 0.9 * math.log(13 / 12) + 0.1 * math.log(13)
    assert DPO(beta=1.0, label_smoothing=0.1).preferences(given).item() == pytest.approx(smoothed)


def test_limits() -> None:
    """At the reference it is log 2 whatever beta; far ahead it goes to 0, far behind it is beta times the lag."""
    for beta in (0.01, 1.0):
        assert DPO(beta=beta).preferences(pair(-5.0, -7.0, -5.0, -7.0)).item() == pytest.approx(math.log(2))
    assert DPO(beta=0.1).preferences(pair(0.0, -1e4, -9.0, -9.0)).item() == 0.0
    assert DPO(beta=0.1).preferences(pair(-1e4, 0.0, 0.0, 0.0)).item() == pytest.approx(1e3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"beta": 0.0}, r"beta is 0.0; wanted a finite number above 0"),
        ({"beta": math.nan}, "beta is nan"),
        ({"label_smoothing": 0.5}, r"label_smoothing is 0.5; wanted 0 or more and less than 0.5"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, float], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        DPO(**keys)


def test_what_is_needed_must_be_given() -> None:
    """Without a reference, or with pairs that do not fit, it says what to give."""
    with pytest.raises(UsageError, match=r"compares with a reference model.* Give reference_chosen= and reference_rejected="):
        DPO().preferences(Pairs(chosen=torch.zeros(2), rejected=torch.zeros(2)))
    with pytest.raises(UsageError, match=r"pairs: got chosen \(2,\), rejected \(3,\). Give one number a pair"):
        Pairs(chosen=torch.zeros(2), rejected=torch.zeros(3))
