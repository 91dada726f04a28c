"""Kahneman-Tversky optimisation against numbers worked by hand and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import KTO, Pairs
from lossworks.losses.kto import kl_baseline


def formula(loss: KTO, pairs: Pairs) -> Tensor:
    """The paper's weight minus value, of the chosen answer as a good and of the rejected as a bad one."""
    good, bad = (pairs.chosen - pairs.reference_chosen).exp(), (pairs.rejected - pairs.reference_rejected).exp()
    base = pairs.baseline.exp() ** loss.beta
    won = loss.desirable - loss.desirable * good**loss.beta / (good**loss.beta + base)
    lost = loss.undesirable - loss.undesirable * base / (bad**loss.beta + base)
    return (won + lost) / 2


ODD: dict[str, dict[str, str]] = {"beta=1": {}, "desirable=1.5,undesirable=0.2": {}, "beta=0.01,undesirable=3": {}}
NUMBERS = torch.tensor([-1.0, -2.0, -3.0], dtype=torch.float64)


def test_by_hand() -> None:
    """With beta 1, on a baseline of log 2: a good answer 6 times as probable, and a bad one 1/2 as probable."""
    base = torch.tensor(math.log(2), dtype=torch.float64)
    logp, reference = torch.tensor([0.6, 0.1], dtype=torch.float64).log(), torch.tensor([0.1, 0.2], dtype=torch.float64).log()
    loss = KTO(beta=1.0, desirable=2.0, undesirable=3.0)
    values = loss.answers(logp, reference, torch.tensor([True, False]), base).tolist()
    assert values == pytest.approx([2 * 2 / (6 + 2), 3 * 0.5 / (0.5 + 2)])
    given = Pairs(chosen=logp[0], rejected=logp[1], reference_chosen=reference[0], reference_rejected=reference[1], baseline=base)
    assert loss.preferences(given).item() == pytest.approx(sum(values) / 2)


def test_limits() -> None:
    """On the baseline half the weight is lost; far on the right side nothing, far on the wrong side all of it."""
    good, loss = torch.tensor([True, False]), KTO(desirable=2.0, undesirable=3.0)
    on, zero = torch.full((2,), 0.7), torch.tensor(0.7)
    assert loss.answers(on, torch.zeros(2), good, zero).tolist() == pytest.approx([1.0, 1.5])
    far = torch.tensor([1e4, -1e4])
    assert loss.answers(far, torch.zeros(2), good, zero).tolist() == [0.0, 0.0]
    assert loss.answers(-far, torch.zeros(2), good, zero).tolist() == [2.0, 3.0]


def test_the_baseline() -> None:
    """The mean log-ratio of mismatched answers, at least 0, without a gradient."""
    own = NUMBERS.clone().requires_grad_()
    assert kl_baseline(own, NUMBERS - 0.5).item() == pytest.approx(0.5)
    assert kl_baseline(own, NUMBERS + 0.5).item() == 0.0
    assert not kl_baseline(own, NUMBERS).requires_grad


@pytest.mark.parametrize("name", ["beta", "desirable", "undesirable"])
def test_values_outside_the_domain(name: str) -> None:
    """Each is finite and above 0."""
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match=f"{name} is {value}; wanted a finite number above 0"):
            KTO(**{name: value})


def test_what_is_needed_must_be_given() -> None:
    """A baseline, a reference, and a boolean an answer."""
    with pytest.raises(UsageError, match=r"kto judges by a baseline, and the pairs have none. Give baseline=kl_baseline"):
        KTO().preferences(Pairs(chosen=NUMBERS, rejected=NUMBERS))
    with pytest.raises(UsageError, match="compares with a reference model"):
        KTO().preferences(Pairs(chosen=NUMBERS, rejected=NUMBERS, baseline=torch.tensor(0.0)))
    with pytest.raises(UsageError, match=r"and desirable \(3,\) of torch.int64. Give two numbers and a boolean an answer"):
        KTO().answers(NUMBERS, NUMBERS, torch.ones(3, dtype=torch.int64), torch.tensor(0.0))
