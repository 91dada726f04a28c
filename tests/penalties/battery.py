"""What every penalty owes: each property is a function of a penalty, and raises where the penalty breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck

PROPERTIES: dict[str, Callable[[Any], None]] = {}
TIMES = (0.0, 0.3, 1.7)


def owed(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """A property of every penalty."""
    PROPERTIES[check.__name__] = check
    return check


def weights(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random weights; some exactly zero, some near it."""
    weight = torch.randn(*(shape or (6, 5)), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    flat = weight.flatten()
    flat[:2], flat[2:4] = 0.0, flat[2:4] * 1e-3
    return weight.to(dtype)


def times(*shape: int) -> Tensor:
    """Random times, up to 2."""
    return 2 * torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def near(got: Tensor, want: Tensor, tolerance: float = 1e-12) -> None:
    """Equal up to ``tolerance``."""
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


@owed
def value_is_one_number(penalty: Any) -> None:
    """The value is a single number, not negative, 0 for no weights and for zeros, with the right gradient."""
    weight = weights().abs().add(0.1).requires_grad_()  # away from the kinks
    assert penalty.value(weight).shape == ()
    assert penalty.value(weights()) >= 0
    for nothing in (torch.zeros(3, 2), torch.zeros(0, 2)):
        assert penalty.value(nothing) == 0
    gradcheck(penalty.value, (weight,))


@owed
def value_adds_up(penalty: Any) -> None:
    """The rows' values add up to the table's, so that it may be computed in parts."""
    weight = weights()
    near(sum(penalty.value(row) for row in weight), penalty.value(weight))


@owed
def flow_starts_where_it_is(penalty: Any) -> None:
    """No time, no change, to the bit; and what is given is not written to."""
    weight = weights()
    kept = weight.clone()
    assert torch.equal(penalty.prox(weight, 0.0), weight)
    penalty.prox(weight, 1.0)
    assert torch.equal(weight, kept)


@owed
def flow_composes(penalty: Any) -> None:
    """flow(s) after flow(t) is flow(s + t), also where each weight has a rate of its own: rows may be caught up with late."""
    for rate in (1.0, times(6, 5)):
        for s in TIMES:
            for t in TIMES:
                near(penalty.prox(penalty.prox(weights(), t * rate), s * rate), penalty.prox(weights(), (s + t) * rate))


@owed
def flow_solves_its_equation(penalty: Any) -> None:
    """It solves dw/dt = -rate ∘ ∂penalty(w), the same rate for all or one a weight; here by small steps that stop at a kink."""
    steps = 800
    for time in (1.7, times(6, 5)):
        weight = weights()
        for _ in range(steps):
            leaf = weight.clone().requires_grad_()
            slope = torch.autograd.grad(penalty.value(leaf), leaf)[0]
            stepped = weight - time / steps * slope
            weight = torch.where(stepped.sign() * weight.sign() < 0, 0.0, stepped)
        torch.testing.assert_close(penalty.prox(weights(), time), weight, rtol=1e-2, atol=1e-2)


@owed
def flow_never_overshoots(penalty: Any) -> None:
    """However long it runs: no weight changes its sign or grows, and the value falls."""
    for time in (*TIMES, 1e3, 1e30):
        flowed = penalty.prox(weights(), time)
        assert flowed.isfinite().all()
        assert (flowed * weights() >= 0).all(), f"a weight went through zero in {time}"
        assert (flowed.abs() <= weights().abs()).all()
        assert penalty.value(flowed) <= penalty.value(weights())


@owed
def flow_goes_row_by_row(penalty: Any) -> None:
    """A row's flow is that of its own weights and times alone, whatever shape of times broadcasts."""
    for shape in ((6, 5), (6, 1), (1, 5)):
        singly = [penalty.prox(row, time) for row, time in zip(weights(), times(*shape).expand(6, 5), strict=True)]
        near(penalty.prox(weights(), times(*shape)), torch.stack(singly))


@owed
def flow_keeps_the_type(penalty: Any) -> None:
    """Weights come back in their own type and shape, whatever the time's."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        for time in (0.5, torch.tensor(0.5), torch.full((6, 1), 0.5, dtype=torch.float64), times(6, 5)):
            flowed = penalty.prox(weights(dtype=dtype), time)
            assert (flowed.dtype, flowed.shape) == (dtype, (6, 5)), f"{dtype} became {flowed.dtype}"
    assert penalty.prox(torch.zeros(0, 3), 1.0).shape == (0, 3)
