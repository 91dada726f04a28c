"""Trajectories of an optimizer on three functions of two weights, computed by running it, with two others for comparison."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.errors import LossworksError, UsageError
from ..optim import Optimizer, Stepper, build, optimizers, render

STEPS = 150
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
LOWEST = 1e-12  # smaller values are rounding errors and drawn as this
_GRID = 61  # points of a surface along each weight
_REFERENCES = ("sgd", "adam", "momentum")  # the first two other than the member itself
_LAST = STEPS // 10  # a learning rate is scored by the last values: a single noisy step may land anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """The weights after each step, starting with the initial ones, and the function values; both end where it diverged."""

    name: str
    points: tuple[tuple[float, float], ...]
    values: tuple[float, ...]
    reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A function of two weights, ``values[row][column]`` at (``x[column]``, ``y[row]``), and the trajectories on it."""

    title: str
    caption: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    minimum: tuple[float, float]
    trajectories: tuple[Trajectory, ...]


Function = Callable[[Any, Any], tuple[Any, Any, Any]]
"""Value and both partial derivatives at one point or many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFunction:
    """A test function. ``noise``: the standard deviation of the noise in each partial derivative."""

    title: str
    formula: str
    function: Function
    start: tuple[float, float]
    minimum: tuple[float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    noise: float = 0.0

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is within ten times the plotted range; beyond it, the optimizer has diverged."""
        ends = ((x, self.x), (y, self.y))
        return all(abs(at - (low + high) / 2) < 5 * (high - low) for at, (low, high) in ends)  # not for nan


def _rosenbrock(x: Any, y: Any) -> tuple[Any, Any, Any]:
    bend = y - x * x
    return (1 - x) ** 2 + 100 * bend**2, -2 * (1 - x) - 400 * x * bend, 200 * bend


def _beale(x: Any, y: Any) -> tuple[Any, Any, Any]:
    value, dx, dy = 0.0, 0.0, 0.0
    for power, wanted in ((1, 1.5), (2, 2.25), (3, 2.625)):
        miss = wanted - x + x * y**power
        value = value + miss**2
        dx = dx + 2 * miss * (y**power - 1)
        dy = dy + 2 * miss * power * x * y ** (power - 1)
    return value, dx, dy


def _bowl(x: Any, y: Any) -> tuple[Any, Any, Any]:
    return (x**2 + 20 * y**2) / 2, x, 20 * y


FUNCTIONS = (
    TestFunction(
        title="Rosenbrock's valley", formula="(1 - x)² + 100 (y - x²)²", function=_rosenbrock,
        start=(-1.2, 1.0), minimum=(1.0, 1.0), x=(-2.0, 2.0), y=(-1.0, 3.0),
    ),
    TestFunction(
        title="Beale's function", formula="(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²", function=_beale,
        start=(1.0, 1.5), minimum=(3.0, 0.5), x=(-0.5, 4.5), y=(-1.5, 2.0),
    ),
    TestFunction(
        title="A noisy quadratic", formula="(x² + 20 y²) / 2", function=_bowl,
        start=(-4.0, 1.5), minimum=(0.0, 0.0), x=(-5.0, 3.0), y=(-2.5, 2.5), noise=1.0,
    ),
)  # fmt: skip


def surfaces(optimizer: Optimizer, *, rate_given: bool) -> tuple[Surface, ...]:
    """Every test function with the trajectory of ``optimizer``, at its own learning rate if given, and of two references."""
    return tuple(_surface(number, optimizer, rate_given) for number in range(len(FUNCTIONS)))


def _surface(number: int, optimizer: Optimizer, rate_given: bool) -> Surface:
    of = FUNCTIONS[number]
    own = _named(optimizer, _walk(optimizer, of)) if rate_given else _tuned(optimizer, of)
    others = [name for name in _REFERENCES if name in optimizers and optimizers[name].thing is not type(optimizer)][:2]
    x, y = (np.linspace(*ends, _GRID) for ends in (of.x, of.y))
    values = of.function(*np.meshgrid(x, y))[0]
    return Surface(
        title=of.title,
        caption=_caption(optimizer, of, own, rate_given),
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        values=tuple(tuple(float(f"{value:.6g}") for value in row) for row in values),
        minimum=of.minimum,
        trajectories=(own, *(_compared(name, number) for name in others)),
    )


def _caption(optimizer: Optimizer, of: TestFunction, own: Trajectory, rate_given: bool) -> str:
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    tried = f"each at the best of the learning rates {rates}, by the final value"
    tried = f"at the given learning rate, with two references, {tried}" if rate_given else tried
    caption = f"{of.title}, {of.formula}: {STEPS} steps from ({of.start[0]:g}, {of.start[1]:g}), {tried}."
    if of.noise:
        caption += f" Each gradient has noise of standard deviation {of.noise:g}, the same for all optimizers."
    if Stepper(optimizer, _Weights((0.0, 0.0))).wants_curvature:
        caption += " The curvature is estimated from the same gradients."
    if (steps := len(own.points)) <= STEPS:
        caption += f" {own.name} diverges at step {steps}."
    return caption


@functools.cache
def _compared(name: str, number: int) -> Trajectory:
    return replace(_tuned(build(name), FUNCTIONS[number]), reference=True)


def _tuned(optimizer: Optimizer, of: TestFunction) -> Trajectory:
    """At the best of the learning rates it accepts."""
    tried = [(at, _walk(at, of)) for at in map(functools.partial(_at_rate, optimizer), RATES) if at is not None]
    if not tried:
        tried = [(optimizer, _walk(optimizer, of))]
    return _named(*min(tried, key=lambda pair: _left(pair[1])))


def _at_rate(optimizer: Optimizer, rate: float) -> Optimizer | None:
    try:
        return replace(optimizer, lr=rate)
    except UsageError:
        return None


def _left(walk: Trajectory) -> float:
    """The geometric mean of the last values; after divergence, worse the earlier it happened."""
    if len(walk.values) <= STEPS:
        return math.inf if len(walk.values) < _LAST else 1e100 / len(walk.values)
    return math.exp(sum(math.log(max(value, LOWEST)) for value in walk.values[-_LAST:]) / _LAST)


def _named(optimizer: Optimizer, walk: Trajectory) -> Trajectory:
    spec, rate = render(optimizer), f"lr={optimizer.lr}"
    shown = spec if rate in spec else f"{spec}{',' if ':' in spec else ':'}{rate}"
    return replace(walk, name=shown)


class _Weights(nn.Module):
    def __init__(self, start: tuple[float, float]) -> None:
        super().__init__()
        self.pair = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def point(self) -> tuple[float, float]:
        x, y = self.pair.detach().reshape(-1).tolist()
        return x, y


def _walk(optimizer: Optimizer, of: TestFunction) -> Trajectory:
    """The trajectory of the optimizer as training would step it, with its evaluation weights where they differ."""
    weights = _Weights(of.start)
    stepper = Stepper(optimizer, weights)
    noise = of.noise * np.random.default_rng(0).standard_normal((STEPS, 2))
    points, values = [of.start], [float(of.function(*of.start)[0])]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for number in range(STEPS):
            try:
                _step(stepper, weights, of, noise[number].tolist())
            except (LossworksError, ArithmeticError):
                break
            x, y = weights.point()
            if not of.holds(x, y):
                break
            points.append((x, y))
            values.append(float(of.function(x, y)[0]))
    return Trajectory(name="", points=tuple(points), values=tuple(values))


def _step(stepper: Stepper, weights: _Weights, of: TestFunction, noise: list[float]) -> None:
    def closure() -> float:
        x, y = weights.point()
        value, dx, dy = of.function(x, y)
        weights.pair.grad = torch.tensor([[dx + noise[0], dy + noise[1]]], dtype=torch.float64)
        return float(value + noise[0] * x + noise[1] * y)  # the function with this gradient

    stepper.train_weights()
    if stepper.wants_curvature:
        closure()
        stepper.observe_curvature(1)
    if stepper.optimizer.needs_closure:
        stepper.step(closure=closure)
    else:
        closure()
        stepper.step()
    stepper.eval_weights()
