"""Gradient descent on all examples."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.core.errors import Diverged
from lossworks.optim import Stepper, build
from optim.battery import Weights, check_state, closure_of, logistic, lowest, problem, quadratic, rosenbrock, step

HAND = {"gradient_descent:lr=0.1": [(0.95, -1.6), (0.90, -1.7)]}
REFERENCE = {"gradient_descent:lr=0.07": lambda p: torch.optim.SGD(p, lr=0.07)}
BAD = {"line_search": ("2",)}
SEARCHED = "gradient_descent:line_search=true"


def test_line_search_by_hand() -> None:
    """Down 2w² from 1 the steps 1 and 1/2 go too far, 1/4 hits the floor; down 2|w| from 1 the first try is twice the last."""
    model = Weights(torch.tensor([[1.0]], dtype=torch.float64))
    stepper = Stepper(build(SEARCHED), model)
    step(stepper, model, lambda: 2 * (model.matrix**2).sum())
    assert model.matrix.item() == 0.0
    with torch.no_grad():
        model.matrix.fill_(1.0)
    step(stepper, model, lambda: 0.1 * model.matrix.abs().sum())
    assert model.matrix.item() == pytest.approx(1 - 0.5 * 0.1)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16])
def test_line_search_resumes(kind: torch.dtype) -> None:
    """In the same bits, as all do."""
    check_state(build(SEARCHED), kind)


def test_line_search_goes_down() -> None:
    """Both valleys, at any first rate."""
    for lr in (1e-3, 1.0, 1e6):
        optimizer = build(f"{SEARCHED},lr={lr}")
        assert lowest(optimizer, quadratic, [1.0, -2.0, 3.0, -1.0, 0.5, 2.0], 150) < 0.02
        assert lowest(optimizer, rosenbrock, [-1.2, 1.0], 600) < 0.1


def test_line_search_never_goes_up() -> None:
    """Each step lowers the loss by Armijo's share at least, or none is made."""
    inputs, target, *start = problem()
    model = Weights(*start)
    stepper = Stepper(build(f"{SEARCHED},lr=100"), model)
    closure = closure_of(model, lambda: logistic(model, 0, inputs, target))
    for _ in range(40):
        before, at = closure(), model.flat()
        squares = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
        step(stepper, model, lambda: logistic(model, 0, inputs, target))
        size = float((model.flat() - at).norm()) / math.sqrt(squares)
        assert closure() <= before - 1e-4 * size * squares * (1 - 1e-9)


def test_the_gradient_of_the_start_stands_after_a_step() -> None:
    """In anybody's loop the search leaves the gradient that was stepped along, not that of the last trial."""
    model = Weights(torch.tensor([[3.0]], dtype=torch.float64))
    optimizer = build(SEARCHED).over(model)

    def closure() -> float:
        if model.matrix.grad is not None:
            model.matrix.grad.zero_()  # in place: what the search keeps must be a copy
        loss = (model.matrix**2).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 9.0  # type: ignore[arg-type]
    assert model.matrix.grad is not None
    assert model.matrix.grad.item() == 6.0


def test_no_loss_that_is_not_finite_is_accepted() -> None:
    """Beyond 2 there is nothing, below 1 a bottomless pit: the search stops between; at the start it is an error."""
    for beyond in (math.nan, -math.inf, math.inf):
        model = Weights(torch.tensor([[1.5]], dtype=torch.float64))

        def loss(model: Weights = model, beyond: float = beyond) -> torch.Tensor:
            return model.matrix.sum() + (0.0 if 1 < model.matrix.item() < 2 else beyond)

        stepper = Stepper(build(SEARCHED), model)
        for _ in range(60):
            step(stepper, model, loss)
        assert 1 < model.matrix.item() < 1.5
        with torch.no_grad():
            model.matrix.fill_(0.5)
        with pytest.raises(Diverged):
            step(stepper, model, loss)
