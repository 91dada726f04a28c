"""Where an optimiser goes: its trajectories down three surfaces over two weights, taken by running it, beside two others."""

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
LOWEST = 1e-12  # heights below it are drawn as this: what is left there is rounding
_GRID = 61  # points of a surface along each weight
_BESIDE = ("sgd", "adam", "momentum")  # the first two that the member itself is not
_LAST = STEPS // 10  # heights that a rate is judged by: the last ones, for a step with noise may land anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """The weights after each step, the start first, and the height there; both end where it ran away."""

    name: str
    points: tuple[tuple[float, float], ...]
    heights: tuple[float, ...]
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """A function of two weights: ``heights[row][column]`` is that at (``x[column]``, ``y[row]``), and what goes down it."""

    title: str
    caption: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    heights: tuple[tuple[float, ...], ...]
    minimum: tuple[float, float]
    trajectories: tuple[Trajectory, ...]


Function = Callable[[Any, Any], tuple[Any, Any, Any]]
"""Height and slopes at a place, or at many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What there is to go down. ``noise``: the standard deviation of what each slope is off by."""

    title: str
    formula: str
    function: Function
    start: tuple[float, float]
    minimum: tuple[float, float]
    x: tuple[float, float]
    y: tuple[float, float]
    noise: float = 0.0

    def holds(self, x: float, y: float) -> bool:
        """Whether a place is within ten times what is drawn; what leaves that has run away."""
        ends = ((x, self.x), (y, self.y))
        return all(abs(at - (low + high) / 2) < 5 * (high - low) for at, (low, high) in ends)  # not for nan


def _rosenbrock(x: Any, y: Any) -> tuple[Any, Any, Any]:
    bend = y - x * x
    return (1 - x) ** 2 + 100 * bend**2, -2 * (1 - x) - 400 * x * bend, 200 * bend


def _beale(x: Any, y: Any) -> tuple[Any, Any, Any]:
    height, across, along = 0.0, 0.0, 0.0
    for power, wanted in ((1, 1.5), (2, 2.25), (3, 2.625)):
        miss = wanted - x + x * y**power
        height = height + miss**2
        across = across + 2 * miss * (y**power - 1)
        along = along + 2 * miss * power * x * y ** (power - 1)
    return height, across, along


def _bowl(x: Any, y: Any) -> tuple[Any, Any, Any]:
    return (x**2 + 20 * y**2) / 2, x, 20 * y


GROUNDS = (
    Ground(
        title="Rosenbrock's valley", formula="(1 - x)² + 100 (y - x²)²", function=_rosenbrock,
        start=(-1.2, 1.0), minimum=(1.0, 1.0), x=(-2.0, 2.0), y=(-1.0, 3.0),
    ),
    Ground(
        title="Beale's function", formula="(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²", function=_beale,
        start=(1.0, 1.5), minimum=(3.0, 0.5), x=(-0.5, 4.5), y=(-1.5, 2.0),
    ),
    Ground(
        title="A noisy quadratic", formula="(x² + 20 y²) / 2", function=_bowl,
        start=(-4.0, 1.5), minimum=(0.0, 0.0), x=(-5.0, 3.0), y=(-2.5, 2.5), noise=1.0,
    ),
)  # fmt: skip


def surfaces(optimizer: Optimizer, *, rate_given: bool) -> tuple[Surface, ...]:
    """Every surface with the trajectory of ``optimizer``, at its own rate where that was given, and of two to compare with."""
    return tuple(_surface(number, optimizer, rate_given) for number in range(len(GROUNDS)))


def _surface(number: int, optimizer: Optimizer, rate_given: bool) -> Surface:
    ground = GROUNDS[number]
    own = _named(optimizer, _walk(optimizer, ground)) if rate_given else _fairest(optimizer, ground)
    others = [name for name in _BESIDE if name in optimizers and optimizers[name].thing is not type(optimizer)][:2]
    x, y = (np.linspace(*ends, _GRID) for ends in (ground.x, ground.y))
    heights = ground.function(*np.meshgrid(x, y))[0]
    return Surface(
        title=ground.title,
        caption=_caption(optimizer, ground, own, rate_given),
        x=tuple(x.tolist()),
        y=tuple(y.tolist()),
        heights=tuple(tuple(float(f"{height:.6g}") for height in row) for row in heights),
        minimum=ground.minimum,
        trajectories=(own, *(_compared(name, number) for name in others)),
    )


def _caption(optimizer: Optimizer, ground: Ground, own: Trajectory, rate_given: bool) -> str:
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    tried = f"each at the best here of the rates {rates}, by the height that it ends at"
    tried = f"at the rate given, beside two others, {tried}" if rate_given else tried
    said = f"{ground.title}, {ground.formula}: {STEPS} steps from ({ground.start[0]:g}, {ground.start[1]:g}), {tried}."
    if ground.noise:
        said += f" Each step sees the slopes with noise of standard deviation {ground.noise:g}, the same for all."
    if Stepper(optimizer, _Weights((0.0, 0.0))).wants_curvature:
        said += " What the curvature is estimated from are the same slopes."
    if (steps := len(own.points)) <= STEPS:
        said += f" At step {steps}, {own.name} runs away."
    return said


@functools.cache
def _compared(name: str, number: int) -> Trajectory:
    return replace(_fairest(build(name), GROUNDS[number]), beside=True)


def _fairest(optimizer: Optimizer, ground: Ground) -> Trajectory:
    """At the best of the rates it takes."""
    tried = [(at, _walk(at, ground)) for at in map(functools.partial(_at_rate, optimizer), RATES) if at is not None]
    if not tried:
        tried = [(optimizer, _walk(optimizer, ground))]
    return _named(*min(tried, key=lambda pair: _left(pair[1])))


def _at_rate(optimizer: Optimizer, rate: float) -> Optimizer | None:
    try:
        return replace(optimizer, lr=rate)
    except UsageError:
        return None


def _left(walk: Trajectory) -> float:
    """The geometric mean of the last heights; of what ran away, worse the sooner it did."""
    if len(walk.heights) <= STEPS:
        return math.inf if len(walk.heights) < _LAST else 1e100 / len(walk.heights)
    return math.exp(sum(math.log(max(height, LOWEST)) for height in walk.heights[-_LAST:]) / _LAST)


def _named(optimizer: Optimizer, walk: Trajectory) -> Trajectory:
    spec, rate = render(optimizer), f"lr={optimizer.lr}"
    shown = spec if rate in spec else f"{spec}{',' if ':' in spec else ':'}{rate}"
    return replace(walk, name=shown)


class _Weights(nn.Module):
    def __init__(self, start: tuple[float, float]) -> None:
        super().__init__()
        self.pair = nn.Parameter(torch.tensor([start], dtype=torch.float64))

    def place(self) -> tuple[float, float]:
        x, y = self.pair.detach().reshape(-1).tolist()
        return x, y


def _walk(optimizer: Optimizer, ground: Ground) -> Trajectory:
    """The optimiser itself, as training steps it; where it evaluates with other weights than it steps, those are shown."""
    weights = _Weights(ground.start)
    stepper = Stepper(optimizer, weights)
    noise = ground.noise * np.random.default_rng(0).standard_normal((STEPS, 2))
    points, heights = [ground.start], [float(ground.function(*ground.start)[0])]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for number in range(STEPS):
            try:
                _step(stepper, weights, ground, noise[number].tolist())
            except (LossworksError, ArithmeticError):
                break
            x, y = weights.place()
            if not ground.holds(x, y):
                break
            points.append((x, y))
            heights.append(float(ground.function(x, y)[0]))
    return Trajectory(name="", points=tuple(points), heights=tuple(heights))


def _step(stepper: Stepper, weights: _Weights, ground: Ground, noise: list[float]) -> None:
    def closure() -> float:
        x, y = weights.place()
        height, across, along = ground.function(x, y)
        weights.pair.grad = torch.tensor([[across + noise[0], along + noise[1]]], dtype=torch.float64)
        return float(height + noise[0] * x + noise[1] * y)  # the height whose slopes these are

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
