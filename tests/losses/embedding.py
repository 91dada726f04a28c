"""What every loss that compares rows owes: each property is a function of a ``Case``, and raises where the loss breaks it.

Here ``beside(rows, seed)`` gives the three tensors that the loss compares, in float64: the first two get gradients, and the third
is such that some rows cost something and some have room to; ``formula(loss, first, second, third)`` is the independent spelling.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from losses.case import Case, near, off

PROPERTIES: dict[str, Callable[[Case], None]] = {}


def embedding(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """A property of losses that compare rows."""
    PROPERTIES[check.__name__] = check
    return check


def draw(case: Case, rows: int, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """What the loss compares; the first two ask for gradients."""
    assert case.beside is not None, "an embedding loss needs beside(rows, seed) in its test file"
    first, second, third = (tensor.to(dtype) for tensor in case.beside(rows, seed))
    return first.requires_grad_(), second.requires_grad_(), third


def whole(case: Case, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
    """The values by the formula; by the loss itself where none is given."""
    spelled: Callable[..., Tensor] = case.loss.contrasts if case.formula is None else partial(case.formula, case.loss)
    return spelled(first, second, third)


def both(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The gradients of the sum of the values into the first and the second, in one tensor."""
    return torch.stack(torch.autograd.grad(values.sum(), (first, second)))


@embedding
def rows_shape(case: Case) -> None:
    """One value a row, no rows too."""
    for rows in (0, 1, 7):
        first, second, third = draw(case, rows)
        values = case.loss.contrasts(first, second, third)
        assert values.shape == (rows,), f"{rows} rows gave values {tuple(values.shape)}"
        assert both(values, first, second).shape == (2, *first.shape)


@embedding
def rows_first_derivative(case: Case) -> None:
    """The gradient is that of the values."""
    first, second, third = draw(case, 4)
    gradcheck(lambda a, b: case.loss.contrasts(a, b, third), (first, second), fast_mode=True)


@embedding
def rows_second_derivative(case: Case) -> None:
    """And the gradient's gradient is that of the gradient."""
    first, second, third = draw(case, 3)
    gradgradcheck(lambda a, b: case.loss.contrasts(a, b, third), (first, second), fast_mode=True)


@embedding
def rows_formula(case: Case) -> None:
    """Values and gradients are those of an independent spelling."""
    if case.formula is None:
        return
    first, second, third = draw(case, 30)
    values, want = case.loss.contrasts(first, second, third), whole(case, first, second, third)
    near(values, want)
    near(both(values, first, second), both(want, first, second))


@embedding
def rows_order(case: Case) -> None:
    """The rows in another order have the same values, in that order."""
    first, second, third = draw(case, 9)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    moved = case.loss.contrasts(first[order], second[order], third[order])
    near(moved, case.loss.contrasts(first, second, third)[order])


@embedding
def rows_learn(case: Case) -> None:
    """A small step down the gradient lowers the loss, and there is something to lower."""
    first, second, third = draw(case, 30)
    before = case.loss.contrasts(first, second, third).sum()
    slopes = both(before, first, second)
    assert slopes.any(), "no gradient at all"
    step = 1e-5 * slopes / slopes.norm()
    assert case.loss.contrasts(first - step[0], second - step[1], third).sum() < before
    assert (case.loss.contrasts(first, second, third) >= 0).all()


@embedding
def rows_extremes(case: Case) -> None:
    """Numbers a thousand times as large, and rows of nothing but zeros, give finite values and gradients in float32."""
    for size in (1e3, 0.0):
        first, second, third = draw(case, 8, dtype=torch.float32)
        first, second = ((size * tensor).detach().requires_grad_() for tensor in (first, second))
        values = case.loss.contrasts(first, second, third)
        assert values.isfinite().all()
        assert both(values, first, second).isfinite().all()


@embedding
def rows_precision(case: Case) -> None:
    """Values and gradients in float32 are near those in float64 on the same numbers."""
    first, second, third = draw(case, 30, dtype=torch.float32)
    exact = [tensor.detach().double().requires_grad_() for tensor in (first, second)]
    values, want = case.loss.contrasts(first, second, third), whole(case, *exact, third.double())
    assert values.dtype == torch.float32
    eps = torch.finfo(torch.float32).eps
    assert off(values, want) <= 32 * eps, f"values are {off(values, want):.2g} off"
    slope = off(both(values, first, second), both(want, *exact))
    assert slope <= 32 * eps, f"gradients are {slope:.2g} off"


@embedding
def rows_determinism(case: Case) -> None:
    """The same bits each time; what is given is not written to."""
    given = draw(case, 50, dtype=torch.float32)
    kept = [tensor.detach().clone() for tensor in given]
    assert torch.equal(case.loss.contrasts(*given), case.loss.contrasts(*given))
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(given, kept, strict=True))
