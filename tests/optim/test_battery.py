"""What every optimiser owes, for each that is registered; and broken ones that must be caught."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.core.errors import UsageError
from lossworks.optim import Optimizer, Shell, build, optimizers, render

NAMES = [entry.name for entry in optimizers]

# One weight of 1 and one of -2, two steps with gradients (0.5, -4) and (0.5, 1): where they stand after each, by hand.
HAND = {
    "sgd:lr=0.1": [(0.95, -1.6), (0.90, -1.7)],
    "gradient_descent:lr=0.1": [(0.95, -1.6), (0.90, -1.7)],
    "adagrad:lr=0.1": [(0.9, -1.9), (0.9 - 0.1 / math.sqrt(2), -1.9 - 0.1 / math.sqrt(17))],
    "adagrad:lr=0.1,initial=0.75": [(0.95, -2 + 0.4 / math.sqrt(16.75)), (
        0.95 - 0.05 / math.sqrt(1.25), -2 + 0.4 / math.sqrt(16.75) - 0.1 / math.sqrt(17.75)
    )],
    "rmsprop:lr=0.1,alpha=0.75": [(0.8, -1.8), (0.8 - 0.05 / math.sqrt(0.109375), -1.8 - 0.1 / math.sqrt(3.25))],
    # Adam: m is 0.05, 0.095 and -0.4, -0.26; v = 2.5e-4, 4.9975e-4 and 0.016, 0.016984
    "adam:lr=0.1": [(0.9, -1.9), (0.8, -1.9 + 0.1 * (0.26 / 0.19) / math.sqrt(0.016984 / 0.001999))],
    "adamw:lr=0.1,weight_decay=0.5": [(0.85, -1.8), (
        0.85 * 0.95 - 0.1, -1.8 * 0.95 + 0.1 * (0.26 / 0.19) / math.sqrt(0.016984 / 0.001999)
    )],
}  # fmt: skip

# PyTorch's own, with hyperparameters odd enough that each of them shows.
REFERENCE: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {
    "sgd:lr=0.07": lambda p: torch.optim.SGD(p, lr=0.07),
    "gradient_descent:lr=0.07": lambda p: torch.optim.SGD(p, lr=0.07),
    "adagrad:lr=0.2,initial=0.01,eps=0.001": lambda p: torch.optim.Adagrad(p, lr=0.2, initial_accumulator_value=0.01, eps=0.001),
    "rmsprop:lr=0.01,alpha=0.8,eps=0.001": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, eps=0.001),
    "adam:lr=0.02,beta1=0.8,beta2=0.95,eps=0.001": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=0.001),
    "adamw:lr=0.02,beta1=0.8,beta2=0.95,eps=0.001,weight_decay=0.3": lambda p: torch.optim.AdamW(
        [{"params": p[:1], "weight_decay": 0.3}, {"params": p[1:], "weight_decay": 0.0}],
        lr=0.02,
        betas=(0.8, 0.95),
        eps=0.001,
    ),
}


class Weights(nn.Module):
    """A matrix and a bias."""

    def __init__(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())
        self.bias = nn.Parameter(bias.clone() if bias is not None else torch.zeros(1))


def whole(optimizer: Optimizer) -> Optimizer:
    """The same optimiser, made to work on whole parameters."""
    kind = type(optimizer)
    return type(kind.__name__, (kind,), {"row_state": None})(**asdict(optimizer))


def ways(optimizer: Optimizer) -> Iterator[Optimizer]:
    """By rows where it can, and by PyTorch."""
    yield optimizer
    if optimizer.row_state is not None:
        yield whole(optimizer)


def check_by_hand(optimizer: Optimizer, wanted: list[tuple[float, float]]) -> None:
    """Two steps from worked-out numbers, in a matrix of one row."""
    model = Weights(torch.tensor([[1.0, -2.0]]))
    shell = Shell(optimizer, model)
    for slope, after in zip([(0.5, -4.0), (0.5, 1.0)], wanted, strict=True):
        model.matrix.grad = torch.tensor([slope])
        shell.step()
        np.testing.assert_allclose(model.matrix.detach().numpy()[0], after, rtol=2e-6)


def problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Inputs and classes of a small regression, and where its weights start."""
    rng = torch.Generator().manual_seed(4)
    inputs = torch.randn(40, 5, generator=rng)
    target = (inputs @ torch.randn(5, 3, generator=rng)).argmax(1)
    return inputs, target, torch.randn(5, 3, generator=rng), torch.randn(3, generator=rng)


def check_trajectory(optimizer: Optimizer, reference: Callable[[list[Tensor]], torch.optim.Optimizer]) -> None:
    """A hundred steps of logistic regression side by side with PyTorch's optimiser, to float32 rounding."""
    inputs, target, *start = problem()
    model, theirs = Weights(*start), Weights(*start)
    shell, other = Shell(optimizer, model), reference(list(theirs.parameters()))
    went: list[list[Tensor]] = [[], []]
    for step in range(100):
        some = slice(step % 4 * 10, step % 4 * 10 + 10)
        for each in (model, theirs):
            nn.functional.cross_entropy(inputs[some] @ each.matrix + each.bias, target[some]).backward()
        shell.step()
        other.step()
        other.zero_grad()
        assert model.matrix.grad is None
        for way, each in zip(went, (model, theirs), strict=True):
            way.append(nn.utils.parameters_to_vector(each.parameters()).detach())
    torch.testing.assert_close(torch.stack(went[0]), torch.stack(went[1]), rtol=2e-5, atol=2e-6)


Valley = Callable[[np.ndarray], tuple[float, np.ndarray]]
CURVATURE = np.linspace(0.1, 1, 6)


def quadratic(w: np.ndarray) -> tuple[float, np.ndarray]:
    """½ Σ c w², and its gradient."""
    return float(CURVATURE @ w**2) / 2, CURVATURE * w


def rosenbrock(w: np.ndarray) -> tuple[float, np.ndarray]:
    """(1 - x)² + 100 (y - x²)², the bent valley, and its gradient."""
    x, off = w[0], w[1] - w[0] ** 2
    return float((1 - x) ** 2 + 100 * off**2), np.array([2 * (x - 1) - 400 * x * off, 200 * off])


def lowest(optimizer: Optimizer, valley: Valley, start: list[float], steps: int) -> float:
    """What is left of the height at the end, as a share; inf where it ran away."""
    model = Weights(torch.tensor([start]))
    shell, before = Shell(optimizer, model), valley(np.array(start))[0]
    for _ in range(steps):
        at = model.matrix.detach().numpy()[0].astype(np.float64)
        if not np.abs(at).max() < 1e3:
            return math.inf
        model.matrix.grad = torch.from_numpy(valley(at)[1].astype(np.float32))[None]
        shell.step()
    return valley(model.matrix.detach().numpy()[0])[0] / before


def check_state(optimizer: Optimizer) -> None:
    """State saved and loaded into a new shell goes on in the same bits; two shells share nothing."""
    inputs, target, *start = problem()

    def go_on(model: Weights, shell: Shell, steps: int) -> None:
        for _ in range(steps):
            nn.functional.cross_entropy(inputs @ model.matrix + model.bias, target).backward()
            shell.step()

    model = Weights(*start)
    shell = Shell(optimizer, model)
    go_on(model, shell, 7)
    twin = Weights(model.matrix.detach(), model.bias.detach())
    resumed = Shell(optimizer, twin)
    resumed.load(shell.tensors())
    go_on(model, shell, 7)
    go_on(twin, resumed, 7)
    assert torch.equal(model.matrix, twin.matrix)
    assert torch.equal(model.bias, twin.bias)
    saved, again = shell.tensors(), resumed.tensors()
    assert saved.keys() == again.keys()
    assert all(torch.equal(saved[name], again[name]) for name in saved)


def rate(optimizer: Optimizer, lr: float) -> Optimizer:
    """The same optimiser at another rate."""
    return replace(optimizer, lr=lr)


@pytest.mark.parametrize("spec", HAND)
def test_by_hand(spec: str) -> None:
    """Two steps worked out on paper."""
    for optimizer in ways(build(spec)):
        check_by_hand(optimizer, HAND[spec])


@pytest.mark.parametrize("spec", REFERENCE)
def test_trajectory(spec: str) -> None:
    """PyTorch's optimiser goes the same way, step by step; by rows or whole."""
    for optimizer in ways(build(spec)):
        check_trajectory(optimizer, REFERENCE[spec])


@pytest.mark.parametrize("name", NAMES)
def test_every_member_is_held_to_account(name: str) -> None:
    """An optimiser without a hand-worked step or a reference is not finished; its spec goes there and back."""
    for table in (HAND, REFERENCE):
        assert name in {spec.partition(":")[0] for spec in table}, f"add {name} to the tables above"
    optimizer = build(name)
    assert build(render(optimizer)) == optimizer
    assert optimizers[name].source
    assert "Domain" in (type(optimizer).__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_descent(name: str) -> None:
    """Down a quadratic and along Rosenbrock's valley, at the best of three rates."""
    for optimizer in ways(build(name)):
        rates = [rate(optimizer, lr) for lr in (0.002, 0.05, 0.5)]
        assert min(lowest(o, quadratic, [1.0, -2.0, 3.0, -1.0, 0.5, 2.0], 150) for o in rates) < 0.02
        assert min(lowest(o, rosenbrock, [-1.2, 1.0], 600) for o in rates) < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_state(name: str) -> None:
    """Resuming is exact."""
    for optimizer in ways(build(name)):
        check_state(optimizer)


@pytest.mark.parametrize("name", NAMES)
def test_domain(name: str) -> None:
    """Rates and constants outside their domain are refused when the spec is read."""
    bad = {"lr": ("0", "-1", "nan", "inf"), "eps": ("0", "-1e-8"), "beta1": ("1", "-0.1"), "beta2": ("1",)}
    bad |= {"alpha": ("1", "-0.1"), "initial": ("-1",), "weight_decay": ("-1", "nan")}
    for key in asdict(build(name)):
        for value in bad[key]:
            with pytest.raises(UsageError, match=key):
                build(f"{name}:{key}={value}")


def test_no_decay_of_biases() -> None:
    """AdamW lets biases stand where no gradient moves them; matrices shrink."""
    model = Weights(torch.ones(2, 2), torch.ones(2))
    shell = Shell(build("adamw:lr=0.1,weight_decay=0.5"), model)
    model.matrix.grad, model.bias.grad = torch.zeros(2, 2), torch.zeros(2)
    shell.step()
    assert torch.equal(model.bias, torch.ones(2))
    assert torch.allclose(model.matrix, torch.full((2, 2), 0.95))


class Altered(torch.optim.Optimizer):
    """Another optimiser with its gradients, its settings or its parameters tampered with at each step."""

    def __init__(self, inner: torch.optim.Optimizer, before: Callable[[Any], None], times: int = 1) -> None:
        super().__init__([p for group in inner.param_groups for p in group["params"]], {})
        self.inner, self.before, self.times, self.state = inner, before, times, inner.state

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for _ in range(self.times):
            self.before(self.inner)
            self.inner.step()


def turn_around(inner: Any) -> None:
    """Uphill."""
    for group in inner.param_groups:
        for p in group["params"]:
            p.grad = -p.grad


def share_state(inner: Any) -> None:
    """The first parameter's moments are the second's, as far as they fit."""
    first, second = [p for group in inner.param_groups for p in group["params"]][:2]
    if "exp_avg_sq" in inner.state[second]:
        inner.state[second]["exp_avg_sq"] += inner.state[first]["exp_avg_sq"].mean()


def skip_bias_correction(inner: Any) -> None:
    """So late a step that nothing is corrected."""
    for state in inner.state.values():
        if "step" in state:
            state["step"].fill_(1e6)


def count_twice(inner: Any) -> None:
    """One more step than there was."""
    for state in inner.state.values():
        if "step" in state:
            state["step"] += 1


def ignore_decay(inner: Any) -> None:
    """No decay of anything."""
    for group in inner.param_groups:
        group["weight_decay"] = 0.0


def decay_everything(inner: Any) -> None:
    """Biases decay too."""
    for group in inner.param_groups:
        group["weight_decay"] = 0.3


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (turn_around, 1),
        (share_state, 1),
        (skip_bias_correction, 1),
        (count_twice, 1),
        (ignore_decay, 1),
        (decay_everything, 1),
        (lambda inner: None, 2),
    ],
    ids=["wrong sign", "shared state", "no bias correction", "step counted twice", "no decay", "biases decay", "two steps"],
)
def test_broken_ones_are_caught(fault: Callable[[Any], None], times: int) -> None:
    """Planted faults in AdamW fail the trajectory; without the fault the same construction passes."""
    (spec,) = (spec for spec in REFERENCE if spec.startswith("adamw"))
    fields = build(spec)

    class Broken(type(fields)):  # type: ignore[misc]
        faulty = True

        def torch(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
            inner = super().torch(parameters)
            return Altered(inner, fault, times) if self.faulty else Altered(inner, lambda inner: None)

    class Sound(Broken):
        faulty = False

    check_trajectory(Sound(**asdict(fields)), REFERENCE[spec])
    with pytest.raises(AssertionError):
        check_trajectory(Broken(**asdict(fields)), REFERENCE[spec])


@pytest.mark.parametrize(("name", "factor"), [("sgd", -1.0), ("adagrad", -1.0), ("rmsprop", -1.0), ("rmsprop", 1.01)])
def test_broken_rows_are_caught(name: str, factor: float) -> None:
    """A wrong sign, or a step too long by a hundredth, in the steps by rows."""
    (spec,) = (spec for spec in REFERENCE if spec.startswith(name))
    sound = build(spec)

    class Broken(type(sound)):  # type: ignore[misc]
        def update_rows(self, weight: Any, state: Any, gradient: Any, step: int) -> None:
            before = weight.copy()
            super().update_rows(weight, state, gradient, step)
            weight[:] = before + factor * (weight - before)

    with pytest.raises(AssertionError):
        check_trajectory(Broken(**asdict(sound)), REFERENCE[spec])


@pytest.mark.parametrize("times", [4, 64])
def test_a_rare_feature_learns_as_much_in_larger_batches(times: int) -> None:
    """AdaGrad fitted to larger batches: what a lone example moves its weight by, against lr, is the same as in small ones."""
    small = build("adagrad:lr=0.3,initial=1e-5")
    large, moved = small.for_batches(times), []
    for optimizer, gradient in ((small, 0.01), (large, 0.01 / times)):
        weight = torch.zeros(1, requires_grad=True)
        step = optimizer.torch([weight])
        weight.grad = torch.tensor([gradient])
        step.step()
        moved.append(weight.item() / optimizer.lr)
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)
    assert small.lr < large.lr < small.lr * times**0.5
