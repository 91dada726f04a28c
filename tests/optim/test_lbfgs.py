"""L-BFGS."""

from __future__ import annotations

import pytest
import torch

from lossworks.core.errors import UsageError
from lossworks.optim import Stepper, build
from lossworks.penalties import build as penalty_of
from optim.battery import Weights, closure_of, logistic, problem, step

REFERENCE = {
    "lbfgs:lr=0.7,history=3,iterations=4": lambda p: torch.optim.LBFGS(
        p, lr=0.7, history_size=3, max_iter=4, line_search_fn="strong_wolfe"
    ),
    "lbfgs:lr=0.2,iterations=2,line_search=false": lambda p: torch.optim.LBFGS(p, lr=0.2, history_size=10, max_iter=2),
}
BAD = {"history": ("0", "1.5"), "iterations": ("0",), "line_search": ("2",)}


def test_by_hand() -> None:
    """Without a search the first step goes along the gradient (1, -4), by lr/‖g‖₁; the second knows the curvature of ½ w² · 2."""
    model = Weights(torch.tensor([[0.5, -2.0]], dtype=torch.float64))
    stepper = Stepper(build("lbfgs:iterations=1,line_search=false"), model)
    step(stepper, model, lambda: (model.matrix**2).sum())
    assert model.matrix.tolist()[0] == pytest.approx([0.5 - 1 / 5, -2 + 4 / 5])
    step(stepper, model, lambda: (model.matrix**2).sum())
    assert model.matrix.tolist()[0] == pytest.approx([0, 0], abs=1e-12)


def test_the_penalty_is_searched_along_with() -> None:
    """With an L2 penalty it ends where the gradient of loss and penalty together vanishes."""
    inputs, target, *start = problem()
    model, penalty = Weights(*start), penalty_of("l2:strength=0.05")
    stepper = Stepper(build("lbfgs"), model, penalty)
    for _ in range(10):
        step(stepper, model, lambda: logistic(model, 0, inputs, target))
    closure_of(model, lambda: logistic(model, 0, inputs, target) + penalty.value(model.matrix))()
    assert model.matrix.grad is not None
    assert model.matrix.grad.abs().max() < 1e-5
    closure_of(model, lambda: logistic(model, 0, inputs, target))()
    assert model.matrix.grad.abs().max() > 1e-3  # without the penalty there would be further to go


def test_what_cannot_be_searched_along_is_refused() -> None:
    """A penalty with a corner, a clipped gradient, and a step without a closure."""
    model = Weights(torch.ones(1, 2))
    with pytest.raises(UsageError, match="smooth"):
        Stepper(build("lbfgs"), model, penalty_of("l1:strength=0.1"))
    with pytest.raises(UsageError, match="clip"):
        Stepper(build("lbfgs"), model, clip=1.0)
    with pytest.raises(UsageError, match="closure"):
        Stepper(build("lbfgs"), model).step()
