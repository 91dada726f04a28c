"""L1 and L2 against numbers worked by hand, the proximal operator, and weight decay; what all penalties refuse."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from lossworks import penalties
from lossworks.core.errors import UnknownName, UsageError
from lossworks.penalties.l1 import L1
from lossworks.penalties.l2 import L2

WEIGHT = torch.tensor([[3.0, -4.0, 0.25], [0.0, -0.5, 1.0]], dtype=torch.float64)


def test_values_by_hand() -> None:
    """Σ|w| is 8.75 and Σw² is 26.3125; L2 has the half."""
    assert L1(strength=2.0).value(WEIGHT).item() == 17.5
    assert L2(strength=2.0).value(WEIGHT).item() == 26.3125


def test_l1_gives_exact_zeros() -> None:
    """Weights that the flow reaches stand at exactly 0 and stay there; the others fall by strength · time."""
    flowed = L1(strength=0.25).prox(WEIGHT, 2.0)
    assert flowed.tolist() == [[2.5, -3.5, 0.0], [0.0, 0.0, 0.5]]
    assert (L1(strength=0.25).prox(WEIGHT, 100.0) == 0).all()


@pytest.mark.parametrize("time", [0.1, 0.7, 5.0])
def test_l1_flow_is_the_proximal_operator(time: float) -> None:
    """argmin_x of (x - w)²/2 + time · strength · |x|, found numerically."""
    for w in WEIGHT.flatten().tolist():
        best = minimize_scalar(lambda x, w=w: (x - w) ** 2 / 2 + time * 0.6 * abs(x), bounds=(-5, 5), method="bounded")
        assert L1(strength=0.6).prox(torch.tensor(w, dtype=torch.float64), time).item() == pytest.approx(best.x, abs=1e-5)


def test_l2_is_weight_decay_in_small_steps() -> None:
    """One step of time 1e-4 is w (1 - strength · time) to second order; half is gone after log 2 / strength."""
    torch.testing.assert_close(L2(strength=0.5).prox(WEIGHT, 1e-4), WEIGHT * (1 - 0.5e-4), rtol=2e-9, atol=0)
    torch.testing.assert_close(L2(strength=0.5).prox(WEIGHT, math.log(2) / 0.5), WEIGHT / 2, rtol=1e-14, atol=0)


@pytest.mark.parametrize("spec", ["l1:strength=0.5", "l2:strength=0.5", "elastic_net:strength=0.5"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 1), (1, 3)])
def test_where_weights_do_not_meet_each_flows_alone(spec: str, shape: tuple[int, int]) -> None:
    """A sum over weights flows weight by weight, each for its own time."""
    penalty, time = penalties.build(spec), torch.rand(shape, dtype=torch.float64)
    singly = [penalty.prox(w, float(t)) for w, t in zip(WEIGHT.flatten(), time.expand(2, 3).flatten(), strict=True)]
    torch.testing.assert_close(penalty.prox(WEIGHT, time), torch.stack(singly).view(2, 3), rtol=1e-14, atol=0)


@pytest.mark.parametrize("strength", [-1e-9, math.nan, math.inf])
@pytest.mark.parametrize("name", [entry.name for entry in penalties.penalties])
def test_strength_outside_the_domain(name: str, strength: float) -> None:
    """A strength is finite and not negative; the message names the penalty and what it got."""
    with pytest.raises(UsageError, match=f"penalty '{name}': strength is {strength}; wanted a finite number, 0 or more"):
        penalties.build(f"{name}:strength={strength}")


def test_broken_specs() -> None:
    """Unknown names and keys get a suggestion; what is no penalty is told what is."""
    with pytest.raises(UnknownName, match=r"unknown penalty 'l11'. Did you mean 'l1'"):
        penalties.build("l11")
    with pytest.raises(UnknownName, match=r"unknown key of penalty 'l1': 'strenght'. Did you mean 'strength'"):
        penalties.build("l1:strenght=1")
    with pytest.raises(UsageError, match=r"got 3 as a penalty. Give a spec such as"):
        penalties.build(3)  # type: ignore[arg-type]
