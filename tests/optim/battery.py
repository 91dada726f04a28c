"""What every optimiser owes, and the small problems it is tried on.

``tests/optim/test_NAME.py`` of the optimiser NAME holds

    HAND       specs → where the weights 1 and -2, a matrix of one row, stand after a step with the gradient (0.5, -4) and
               after a second one with (0.5, 1), worked out on paper; or, instead, a test ``test_by_hand`` of its own
    REFERENCE  specs, with hyperparameters odd enough that each of them shows → a function of the parameters that makes
               another implementation's optimiser; or, instead, a test ``test_trajectory`` of its own
    BAD        hyperparameters → values outside their domain, as they are spelled
    LAYOUT     why rounding that differs with the layout of memory may lead elsewhere, where it may
    RATES      the learning rates that descent is tried at, where they are not the usual ones
    shrunk     (weight before a step, where the step takes it without decay) → where it stands with a decay of 0.5 at the rate
               0.01, if decay is not the usual w (1 - lr · weight_decay) before the step
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from lossworks.optim import Optimizer, Stepper

Reference = Callable[[list[Tensor]], torch.optim.Optimizer]
RATES = (0.05, 0.5, 0.002)  # most go down at the first


def told(name: str) -> ModuleType:
    """The test file of an optimiser."""
    try:
        return importlib.import_module(f"optim.test_{name}")
    except ModuleNotFoundError as error:
        raise AssertionError(f"the optimizer {name!r} has no test file tests/optim/test_{name}.py") from error


class Weights(nn.Module):
    """A matrix and a bias."""

    def __init__(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())
        self.bias = nn.Parameter(bias.clone() if bias is not None else torch.zeros(1, dtype=matrix.dtype))

    def flat(self) -> Tensor:
        """All weights in a row."""
        return nn.utils.parameters_to_vector([self.matrix, self.bias]).detach().clone()


def stepper_of(optimizer: Optimizer, model: nn.Module) -> Stepper:
    """Its stepper; an optimiser that can work on rows does so, for the sake of a table that nothing reads."""
    if optimizer.works_on_rows:
        model.table = nn.Embedding(1, 1, sparse=True)
    return Stepper(optimizer, model)


def whole(optimizer: Optimizer) -> Optimizer:
    """The same optimiser, made to work on whole parameters."""
    kind = type(optimizer)
    return type(kind.__name__, (kind,), {"row_state": None})(**asdict(optimizer))


def ways(optimizer: Optimizer) -> Iterator[Optimizer]:
    """By rows where it can, and by PyTorch."""
    yield optimizer
    if optimizer.works_on_rows:
        yield whole(optimizer)


def closure_of(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], float]:
    """Makes the gradients of ``loss`` anew and returns it."""

    def closure() -> float:
        model.zero_grad()
        value = loss()
        value.backward()
        return value.item()

    return closure


def step(stepper: Stepper, model: nn.Module, loss: Callable[[], Tensor]) -> None:
    """One step down ``loss``, as a loop makes it; a curvature is estimated from the loss's own gradient."""
    step_by(stepper, closure_of(model, loss))


def step_by(stepper: Stepper, closure: Callable[[], float]) -> None:
    """One step by what makes the gradients and returns the loss."""
    stepper.train_weights()
    if stepper.wants_curvature:
        closure()
        stepper.observe_curvature(1)
    if not stepper.optimizer.needs_closure:
        closure()
    stepper.step(closure=closure if stepper.optimizer.needs_closure else None)


def check_by_hand(optimizer: Optimizer, wanted: list[tuple[float, float]]) -> None:
    """Two steps from worked-out numbers, in a matrix of one row."""
    model = Weights(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    stepper = stepper_of(optimizer, model)
    for slope, after in zip([(0.5, -4.0), (0.5, 1.0)], wanted, strict=True):
        model.matrix.grad = torch.tensor([slope], dtype=torch.float64)
        stepper.step()
        np.testing.assert_allclose(model.matrix.detach().numpy()[0], after, rtol=1e-7)


def problem(kind: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs and classes of a small regression, and where its weights start."""
    rng = torch.Generator().manual_seed(4)
    inputs = torch.randn(40, 5, generator=rng)
    target = (inputs @ torch.randn(5, 3, generator=rng)).argmax(1)
    return inputs.to(kind), target, torch.randn(5, 3, generator=rng).to(kind), torch.randn(3, generator=rng).to(kind)


def logistic(model: Weights, number: int, inputs: Tensor, target: Tensor) -> Tensor:
    """The loss of step ``number``: of a quarter of the examples, in turn."""
    some = slice(number % 4 * 10, number % 4 * 10 + 10)
    return nn.functional.cross_entropy(inputs[some] @ model.matrix + model.bias, target[some])


def descent(model: Weights, number: int, inputs: Tensor, target: Tensor) -> Callable[[], float]:
    """What ``closure_of`` makes of that loss, worked out: autograd would take longer than the steps."""
    some = slice(number % 4 * 10, number % 4 * 10 + 10)
    x, y = inputs[some], target[some, None]

    @torch.no_grad()
    def closure() -> float:
        logp = (x @ model.matrix + model.bias).log_softmax(1)
        slope = logp.exp().scatter_add_(1, y, -torch.ones_like(y, dtype=x.dtype)) / len(x)
        for weight, made in ((model.matrix, x.t() @ slope), (model.bias, slope.sum(0))):
            weight.grad = torch.empty_like(weight).copy_(made)  # which lies in memory as the weight does
        return -logp.gather(1, y).mean().item()

    return closure


def check_trajectory(optimizer: Optimizer, reference: Reference, kind: torch.dtype = torch.float64) -> None:
    """A hundred steps of logistic regression side by side with another implementation, to the rounding of the dtype."""
    inputs, target, *start = problem(kind)
    model, theirs = Weights(*start), Weights(*start)
    stepper, other = stepper_of(optimizer, model), reference(list(theirs.parameters()))
    went: list[list[Tensor]] = [[], []]
    for number in range(100):
        step_by(stepper, descent(model, number, inputs, target))
        closure = descent(theirs, number, inputs, target)
        if optimizer.needs_closure:
            other.step(closure)
        else:
            closure()
            other.step()
        for way, each in zip(went, (model, theirs), strict=True):
            way.append(each.flat())
    rounding, near = (1e-9, 1e-10) if kind == torch.float64 else (2e-5, 5e-6)  # processors differ by 3.7e-6 after 100 steps
    torch.testing.assert_close(torch.stack(went[0]), torch.stack(went[1]), rtol=rounding, atol=near)


Valley = Callable[[Tensor], tuple[float, Tensor]]
"""Height and slope, worked out: autograd would take longer than the steps."""
CURVATURE = torch.linspace(0.1, 1, 6, dtype=torch.float64)


def quadratic(w: Tensor) -> tuple[float, Tensor]:
    """½ Σ c w²."""
    slope = CURVATURE * w
    return (slope * w).sum().item() / 2, slope


def rosenbrock(w: Tensor) -> tuple[float, Tensor]:
    """(1 - x)² + 100 (y - x²)², the bent valley."""
    ((x, y),) = w.tolist()
    bend = y - x * x
    slope = torch.tensor([[-2 * (1 - x) - 400 * x * bend, 200 * bend]], dtype=torch.float64)
    return (1 - x) ** 2 + 100 * bend**2, slope


def lowest(optimizer: Optimizer, valley: Valley, start: list[float], steps: int) -> float:
    """What is left of the height at the end, as a share; inf where it ran away."""
    model = Weights(torch.tensor([start], dtype=torch.float64))
    stepper, before = stepper_of(optimizer, model), valley(model.matrix.detach())[0]

    def closure() -> float:
        height, model.matrix.grad = valley(model.matrix.detach())
        return height

    for _ in range(steps):
        if not model.matrix.detach().abs().max() < 1e3:
            return math.inf
        step_by(stepper, closure)
    stepper.eval_weights()
    return valley(model.matrix.detach())[0] / before


def check_state(optimizer: Optimizer, kind: torch.dtype) -> None:
    """State saved and loaded into a new stepper goes on in the same bits, also where the weights to evaluate with are others."""
    inputs, target, *start = problem(kind)

    def go_on(model: Weights, stepper: Stepper) -> None:
        for number in range(7):
            step_by(stepper, descent(model, number, inputs, target))

    for evaluated in (False, True):
        model = Weights(*start)
        stepper = stepper_of(optimizer, model)
        go_on(model, stepper)
        if evaluated:
            stepper.eval_weights()
        twin = Weights(model.matrix.detach(), model.bias.detach())
        resumed = stepper_of(optimizer, twin)
        resumed.load({name: value.clone() for name, value in stepper.tensors().items()})
        for each, by in ((model, stepper), (twin, resumed)):
            go_on(each, by)
        assert torch.equal(model.flat(), twin.flat())
        saved, again = stepper.tensors(), resumed.tensors()
        assert saved.keys() == again.keys()
        assert all(torch.equal(saved[name], again[name]) for name in saved)
