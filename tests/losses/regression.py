"""What every loss between numbers owes: each property is a function of a ``Case``, and raises where the loss breaks it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import mse_loss

from losses.case import SHAPES, Case, gradient, near, off, split_sums

PROPERTIES: dict[str, Callable[[Case], None]] = {}


def regression(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """A property of losses between numbers."""
    PROPERTIES[check.__name__] = check
    return check


def numbers(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Predicted numbers that ask for gradients, and true ones."""
    rng = torch.Generator().manual_seed(seed)
    prediction, value = 2 * torch.randn(2, *shape, generator=rng, dtype=torch.float64)
    return prediction.to(dtype).requires_grad_(), value.to(dtype)


def whole(case: Case, prediction: Tensor, value: Tensor) -> Tensor:
    """The values by the independent spelling; by the loss itself where none is given."""
    if case.number_formula is None:
        return case.loss.errors(prediction, value)
    return case.number_formula(case.loss, prediction, value)


@regression
def number_any_shape(case: Case) -> None:
    """Any shape, empty ones too, gives a value for each number: that of the number by itself."""
    for seed, shape in enumerate(SHAPES):
        prediction, value = numbers(*shape, seed=seed)
        values = case.loss.errors(prediction, value)
        assert values.shape == shape
        near(values.flatten(), case.loss.errors(prediction.flatten(), value.flatten()))
        assert gradient(values, prediction).shape == shape


@regression
def number_first_derivative(case: Case) -> None:
    """The gradient is that of the values."""
    prediction, value = numbers(6)
    gradcheck(lambda a: case.loss.errors(a, value), (prediction,), fast_mode=True)


@regression
def number_second_derivative(case: Case) -> None:
    """And the gradient's gradient is that of the gradient."""
    prediction, value = numbers(4)
    gradgradcheck(lambda a: case.loss.errors(a, value), (prediction,), fast_mode=True)


@regression
def number_formula(case: Case) -> None:
    """Values and gradients are those of an independent spelling."""
    if case.number_formula is None:
        return
    prediction, value = numbers(50)
    values, want = case.loss.errors(prediction, value), whole(case, prediction, value)
    near(values, want)
    near(gradient(values, prediction), gradient(want, prediction))


@regression
def number_locality(case: Case) -> None:
    """Position i's value and gradient depend on position i alone."""
    prediction, value = numbers(5)
    near(case.loss.errors(prediction, value), torch.stack([case.loss.errors(prediction[i], value[i]) for i in range(5)]))
    slopes = torch.autograd.functional.jacobian(lambda a: case.loss.errors(a, value), prediction)
    near(slopes, slopes.diagonal().diag())
    near(slopes.diagonal(), gradient(case.loss.errors(prediction, value), prediction))


@regression
def number_translation(case: Case) -> None:
    """A constant added to prediction and value alike changes nothing."""
    prediction, value = numbers(20)
    near(case.loss.errors(prediction + 7, value + 7), case.loss.errors(prediction, value))


@regression
def number_learns(case: Case) -> None:
    """The value is least where the prediction is right, and the gradient points away from there."""
    prediction, value = numbers(50)
    values = case.loss.errors(prediction, value)
    assert (values > case.loss.errors(value, value)).all()
    assert ((prediction - value) * gradient(values, prediction) > 0).all()


@regression
def number_extremes(case: Case) -> None:
    """Numbers of ±1e4 give finite values and gradients in float32."""
    ends = torch.tensor([-1e4, 0.0, 1e4])
    prediction, value = (grid.clone() for grid in torch.meshgrid(ends, ends, indexing="ij"))
    prediction.requires_grad_()
    values = case.loss.errors(prediction, value)
    assert values.isfinite().all()
    assert gradient(values, prediction).isfinite().all()


@regression
def number_precision(case: Case) -> None:
    """Against float64 on the same numbers, no further off than PyTorch's own squared error."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        prediction, value = numbers(200, dtype=dtype)
        exact, true = prediction.detach().double().requires_grad_(), value.double()
        values = case.loss.errors(prediction, value)
        eps = torch.finfo(dtype).eps
        squares = mse_loss(prediction, value, reduction="none"), mse_loss(exact, true, reduction="none")
        assert torch.finfo(values.dtype).eps <= eps, f"{dtype} gave {values.dtype}"
        assert off(values, whole(case, exact, true)) <= off(*squares) + 2 * eps
        torchs = off(gradient(squares[0], prediction), gradient(squares[1], exact))
        assert off(gradient(values, prediction), gradient(whole(case, exact, true), exact)) <= torchs + 2 * eps


@regression
def number_determinism(case: Case) -> None:
    """The same bits each time; what is given is not written to."""
    prediction, value = numbers(50, dtype=torch.float32)
    kept = prediction.detach().clone(), value.clone()
    assert torch.equal(case.loss.errors(prediction, value), case.loss.errors(prediction, value))
    assert torch.equal(prediction, kept[0])
    assert torch.equal(value, kept[1])


@regression
def number_transforms(case: Case) -> None:
    """torch.func's grad and vmap give what autograd and the batch give."""
    prediction, value = numbers(6)
    values = case.loss.errors(prediction, value)
    near(torch.func.vmap(case.loss.errors)(prediction, value), values)
    near(torch.func.vmap(torch.func.grad(case.loss.errors))(prediction, value), gradient(values, prediction))


@regression
def number_micro_batches(case: Case) -> None:
    """The weighted mean of a step does not depend on how the step is cut."""
    split_sums(case.loss.errors, *numbers(12))
