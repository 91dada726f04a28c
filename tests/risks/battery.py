"""What every risk owes: each property is a function of a risk, and raises where the risk breaks it.

Monotone, positively homogeneous, translation equivariant and subadditive together make a coherent measure of risk
(Artzner, Delbaen, Eber & Heath 1999, Math. Finance 9:203, with losses for their negative gains).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import gradcheck

PROPERTIES: dict[str, Callable[[Any], None]] = {}
GROUPS = 3


def owed(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """A property of every risk."""
    PROPERTIES[check.__name__] = check
    return check


def drawn(seed: int = 0, n: int = 13) -> tuple[Tensor, Tensor, Tensor]:
    """Values without ties, whole weights with zeros among them, and groups that all have some weight."""
    rng = torch.Generator().manual_seed(seed)
    values = torch.randn(n, generator=rng, dtype=torch.float64)
    weight = torch.randint(0, 4, (n,), generator=rng).double()
    groups = torch.arange(n) % GROUPS
    weight[:GROUPS] += 1
    return values, weight, groups


def start(risk: Any) -> Tensor:
    """A state as it might be after some steps, for a risk that has any."""
    state: Tensor = risk.start(GROUPS)
    return state + 0.4 * torch.arange(len(state), dtype=state.dtype)


def of(risk: Any, values: Tensor, weight: Tensor, groups: Tensor) -> Tensor:
    """The risk alone."""
    found: Tensor = risk.combine(values, weight, groups, start(risk))[0]
    return found


def slope(risk: Any, values: Tensor, weight: Tensor, groups: Tensor) -> Tensor:
    """Its gradient into the values."""
    leaf = values.clone().requires_grad_()
    return torch.autograd.grad(of(risk, leaf, weight, groups), leaf)[0]


def near(got: Tensor, want: Tensor | float) -> None:
    """Equal in all but the last bits."""
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=1e-12, atol=1e-12)


@owed
def it_is_one_number_of_the_values_kind(risk: Any) -> None:
    """A scalar of the values' type, whatever their shape."""
    values, weight, groups = (part[:12] for part in drawn())
    shaped = of(risk, values.view(3, 4), weight.view(3, 4), groups.view(3, 4))
    near(shaped, of(risk, values, weight, groups))
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        found = of(risk, values.to(dtype), weight.float(), groups)
        assert (found.shape, found.dtype) == ((), dtype)
        assert abs(found.double() - shaped) < 0.02


@owed
def weights_are_repetition(risk: Any) -> None:
    """A position of weight 3 is three of weight 1, for the risk and for what it remembers."""
    values, weight, groups = drawn()
    times = weight.long()
    again = [part.repeat_interleave(times) for part in (values, torch.ones_like(weight), groups)]
    for got, want in zip(risk.combine(*again, start(risk)), risk.combine(values, weight, groups, start(risk)), strict=True):
        near(got, want)


@owed
def only_the_share_of_a_weight_counts(risk: Any) -> None:
    """All weights times the same is the same."""
    values, weight, groups = drawn()
    near(of(risk, values, 0.3 * weight, groups), of(risk, values, weight, groups))


@owed
def order_does_not_matter(risk: Any) -> None:
    """Positions in another order: the same risk, and the same gradient for each of them."""
    values, weight, groups = drawn()
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(1))
    mixed = values[order], weight[order], groups[order]
    near(of(risk, *mixed), of(risk, values, weight, groups))
    near(slope(risk, *mixed), slope(risk, values, weight, groups)[order])


@owed
def what_weighs_nothing_is_not_there(risk: Any) -> None:
    """Positions of weight 0 change nothing, even without a finite value, and get no gradient."""
    values, weight, groups = drawn()
    odd = torch.tensor([1e9, -1e9, math.inf, -math.inf, math.nan], dtype=torch.float64)
    more = torch.cat([odd, values]), torch.cat([torch.zeros(5).double(), weight]), torch.cat([torch.arange(5) % GROUPS, groups])
    for got, want in zip(risk.combine(*more, start(risk)), risk.combine(values, weight, groups, start(risk)), strict=True):
        near(got, want)
    near(slope(risk, *more), torch.cat([torch.zeros(5).double(), slope(risk, values, weight, groups)]))


@owed
def nothing_at_all_is_zero(risk: Any) -> None:
    """Where nothing weighs anything, or nothing is there, the risk and its gradient are 0 and nothing is remembered."""
    values, weight, groups = drawn()
    for nothing in ((values, 0 * weight, groups), (values[:0], weight[:0], groups[:0])):
        assert of(risk, *nothing) == 0
        assert (slope(risk, *nothing) == 0).all()
        assert torch.equal(risk.combine(*nothing, start(risk))[1], start(risk))


@owed
def the_gradient_says_what_share_each_has(risk: Any) -> None:
    """The slopes are shares: none negative, and together 1."""
    shares = slope(risk, *drawn())
    assert (shares >= 0).all()
    near(shares.sum(), 1.0)


@owed
def the_gradient_is_right(risk: Any) -> None:
    """It agrees with differences, away from ties."""
    values, weight, groups = drawn()
    gradcheck(lambda v: of(risk, v, weight, groups), (values.requires_grad_(),))


@owed
def it_never_waits_for_the_device(risk: Any) -> None:
    """It works on tensors without numbers in them, so it asks for none."""
    on = [part.to("meta") for part in (*drawn(), start(risk))]
    found, state = risk.combine(*on)
    assert (found.device.type, found.shape, state.shape) == ("meta", (), start(risk).shape)


@owed
def monotone(risk: Any) -> None:
    """A position that gets worse never makes the risk better, nor do all of them together."""
    for seed in range(5):
        values, weight, groups = drawn(seed)
        worse = drawn(seed + 100)[0].abs()
        for more in (worse, *torch.diag(worse), *torch.diag(4 * worse)):
            assert of(risk, values + more, weight, groups) >= of(risk, values, weight, groups) - 1e-12


@owed
def positively_homogeneous(risk: Any) -> None:
    """Twice the losses, twice the risk."""
    values, weight, groups = drawn()
    for factor in (0.0, 0.5, 2.0, 1e6):
        near(of(risk, factor * values, weight, groups), factor * of(risk, values, weight, groups))


@owed
def translation_equivariant(risk: Any) -> None:
    """The same more on every loss is the same more on the risk."""
    values, weight, groups = drawn()
    for more in (-3.0, 0.25, 1e4):
        torch.testing.assert_close(
            of(risk, values + more, weight, groups), of(risk, values, weight, groups) + more, rtol=1e-11, atol=1e-11
        )


@owed
def subadditive(risk: Any) -> None:
    """The risk of a sum of losses is no more than the sum of their risks."""
    for seed in range(20):
        values, weight, groups = drawn(seed)
        other = drawn(seed + 100)[0]
        both = of(risk, values, weight, groups) + of(risk, other, weight, groups)
        assert of(risk, values + other, weight, groups) <= both + 1e-12
