"""Simple preference optimisation against numbers worked by hand and its limits, and the sums that pairs are made from."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import Pairs, SimPO, sequence_logp


def formula(loss: SimPO, pairs: Pairs) -> Tensor:
    """On probabilities a token: how the chosen compares with a rejected answer that is e^gamma times as good."""
    c, r = (pairs.chosen / pairs.chosen_length).exp(), (pairs.rejected / pairs.rejected_length).exp()
    return (1 + (r / c) ** loss.beta * math.exp(loss.gamma)).log()


ODD: dict[str, dict[str, str]] = {"gamma=0": {}, "beta=0.5,gamma=3": {}}


def pair(chosen: float, rejected: float) -> Pairs:
    """Answers of 2 and 3 tokens, from their log-probability a token."""
    return Pairs(
        chosen=torch.tensor(2 * chosen, dtype=torch.float64),
        rejected=torch.tensor(3 * rejected, dtype=torch.float64),
        chosen_length=torch.tensor(2),
        rejected_length=torch.tensor(3),
    )


def test_by_hand() -> None:
    """Probabilities a token of 3/4 and 1/4 with beta 2 and margin log 3: 9 against 3 is σ(log 3) = 3/4."""
    value = SimPO(beta=2.0, gamma=math.log(3)).preferences(pair(math.log(3 / 4), math.log(1 / 4))).item()
    assert value == pytest.approx(math.log(4 / 3))


def test_limits() -> None:
    """Equal averages lose log(1 + e^gamma), whatever the lengths; far ahead nothing is lost."""
    assert SimPO(gamma=0.0).preferences(pair(-1.5, -1.5)).item() == pytest.approx(math.log(2))
    assert SimPO(beta=7.0, gamma=1.5).preferences(pair(-1.5, -1.5)).item() == pytest.approx(math.log(1 + math.exp(1.5)))
    assert SimPO().preferences(pair(0.0, -1e4)).item() == 0.0


def test_sequence_logp() -> None:
    """Kept tokens are summed and counted; what is not kept does not matter, impossible tokens neither, nor to the gradient."""
    logp = torch.tensor([[-1.0, -2.0, -4.0], [-1.0, -math.inf, -3.0]], requires_grad=True)
    keep = torch.tensor([[True, True, False], [True, False, True]])
    sums, lengths = sequence_logp(logp, keep)
    assert sums.tolist() == [-3.0, -4.0]
    assert lengths.tolist() == [2, 2]
    sums.sum().backward()
    assert torch.equal(logp.grad, keep.float())
    many = torch.full((3, 4096), -1.001).bfloat16()
    sums, lengths = sequence_logp(many, torch.ones(3, 4096, dtype=torch.bool))
    assert sums.dtype == torch.float32
    assert sums.tolist() == pytest.approx([float(many[0, 0]) * 4096] * 3)
    for wrong in (torch.ones(2, 3), torch.ones(2, 2, dtype=torch.bool)):
        with pytest.raises(UsageError, match=r"sequence_logp: got keep .* Give a boolean a token, \(2, 3\)"):
            sequence_logp(logp, wrong)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"beta": 0.0}, r"beta is 0.0; wanted a finite number above 0"),
        ({"gamma": -1.0}, r"gamma is -1.0; wanted a finite number, 0 or more"),
        ({"gamma": math.nan}, "gamma is nan"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, float], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        SimPO(**keys)


def test_lengths_must_be_given() -> None:
    """It reads averages."""
    with pytest.raises(UsageError, match="reads averages, and the pairs have no lengths"):
        SimPO().preferences(Pairs(chosen=torch.zeros(2), rejected=torch.zeros(2)))


def test_an_answer_without_tokens() -> None:
    """An answer of which every token is left out has log-probability 0, and is no nan for the pairs beside it."""
    logp = torch.full((2, 3), math.log(1 / 4), dtype=torch.float64, requires_grad=True)
    chosen, length = sequence_logp(logp, torch.tensor([[True, True, False], [False, False, False]]))
    rejected, long = chosen.detach().flip(0), length.flip(0)
    values = SimPO(gamma=0).preferences(Pairs(chosen=chosen, rejected=rejected, chosen_length=length, rejected_length=long))
    assert values.tolist() == pytest.approx([math.log(1 + 16), math.log(1 + 1 / 16)])
    slope = torch.autograd.grad(values.sum(), logp)[0]
    assert slope[0, :2].lt(0).all()
    assert not slope[0, 2:].any()
    assert not slope[1].any()
