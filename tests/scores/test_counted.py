"""Products in which nothing weighs nothing, without masks: values, both derivatives, and what is not a number."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from lossworks.scores.counted import counted, possible

LOGS = torch.tensor([-0.5, -700.0, -800.0, -1e300, -math.inf, 0.0], dtype=torch.float64)


def masked(weight: Tensor, log: Tensor) -> Tensor:
    """The plain way."""
    return weight * log.masked_fill(weight == 0, 0.0)


def unmasked(weight: Tensor, log: Tensor) -> Tensor:
    """The way that forgets that 0 log 0 is 0."""
    return weight * log


def product(weight: Tensor, log: Tensor) -> Tensor:
    """Ours."""
    return weight * counted(weight, log)[0]


def holds(way: Callable[[Tensor, Tensor], Tensor]) -> bool:
    """Whether a product is right where the weight is 0, the smallest number, more, or below 0, and in each gradient."""
    for weight in (LOGS.exp(), torch.tensor([0.0, 5e-324, 0.0, 0.3, 0.0, -0.2], dtype=torch.float64)):
        given = [t.clone().requires_grad_() for t in (weight, LOGS)]
        found, want = way(*given), masked(*given)
        if not torch.equal(found, want):
            return False
        slopes, wanted = (torch.autograd.grad(value[value.isfinite()].sum(), given) for value in (found, want))
        if not all(torch.equal(one, other) for one, other in zip(slopes, wanted, strict=True)):
            return False
    return True


def test_nothing_weighs_nothing() -> None:
    """Like a masked product, to the bit, and infinite where what weighs is impossible; a product as such is caught."""
    assert holds(product)
    assert not holds(unmasked)
    assert product(torch.tensor(5e-324, dtype=torch.float64), torch.tensor(-math.inf, dtype=torch.float64)) == -math.inf


def test_derivatives() -> None:
    """First and second, and under vmap."""
    weight = torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    log = torch.tensor([-0.1, -2.0, -9.0], dtype=torch.float64, requires_grad=True)
    gradcheck(product, (weight, log))
    gradgradcheck(product, (weight, log))
    torch.testing.assert_close(torch.func.vmap(product)(weight, log), weight * log)


def test_what_is_no_number_stays_seen() -> None:
    """A nan in a log-probability or in its weight is not taken for nothing."""
    nan, one = torch.tensor(math.nan), torch.tensor(-1.0)
    assert product(nan, one).isnan()
    assert product(torch.tensor(0.5), nan).isnan()
    assert possible(nan, 0.0).isnan()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_possible(dtype: torch.dtype) -> None:
    """-inf becomes what is asked for, all else stays as it is, with gradient 1."""
    z = torch.tensor([-math.inf, -1e30, 0.0, 1e30, math.inf], dtype=dtype, requires_grad=True)
    found = possible(z, 7.0)
    assert torch.equal(found, torch.cat([found.new_tensor([7.0]), z[1:]]))
    assert torch.autograd.grad(found[:-1].sum(), z)[0].tolist() == [0, 1, 1, 1, 0]
