"""The way an optimiser goes: worked by hand, at the best of the rates, and where it runs away."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lossworks.catalog import Surface, find, text, trajectories
from lossworks.catalog.trajectories import FUNCTIONS, RATES, STEPS
from lossworks.optim import Optimizer, build
from lossworks.optim.custom import ByGroup
from lossworks.optim.rules.sgd import SGD

ROSENBROCK, BEALE, BOWL = FUNCTIONS
NUMBER = st.floats(-3, 3)


def shown(spec: str) -> tuple[Surface, ...]:
    """The surfaces of the one optimiser that ``spec`` spells."""
    return find(spec)[0].surfaces


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.title)
@given(x=NUMBER, y=NUMBER)
def test_slopes_are_those_of_the_height(function: Any, x: float, y: float) -> None:
    """Autograd finds the same slopes; at the minimum height and slopes are zero."""
    place = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
    height, across, along = function.function(*place)
    torch.testing.assert_close(torch.autograd.grad(height, place)[0], torch.stack([across, along]))
    assert function.function(*function.minimum) == pytest.approx((0, 0, 0), abs=1e-12)


def test_the_member_itself_is_run() -> None:
    """SGD steps along the slope, the heavy ball adds what it remembers; the height is that of the place."""
    way = shown("momentum:lr=0.001,momentum=0.5")[0].trajectories[0]
    place, speed = np.array(ROSENBROCK.start), np.zeros(2)
    for number in range(20):
        np.testing.assert_allclose(way.points[number], place)
        assert way.values[number] == pytest.approx(ROSENBROCK.function(*place)[0])
        speed = 0.5 * speed + np.array(ROSENBROCK.function(*place)[1:])
        place = place - 0.001 * speed
    assert len(way.points) == STEPS + 1


def test_noise_is_the_same_for_all_and_on_the_slopes_alone() -> None:
    """On the quadratic, SGD's steps are off by one drawing of the noise, whoever stands beside; its heights are exact."""
    way = shown("sgd:lr=0.01")[2].trajectories[0]
    points = np.array(way.points)
    noise = -np.diff(points, axis=0) / 0.01 - points[:-1] * [1, 20]
    np.testing.assert_allclose(noise, np.random.default_rng(0).standard_normal((STEPS, 2)), atol=1e-9)
    np.testing.assert_allclose(way.values, points**2 @ [0.5, 10])


@pytest.mark.parametrize("spec", ["sgd", "adam"])
def test_the_rate_is_the_best_of_the_grid(spec: str) -> None:
    """No rate of the grid ends lower; a rate that was given is kept, and the caption says which it was."""
    tried, given = [shown(f"{spec}:lr={rate}") for rate in RATES], shown(f"{spec}:lr=0.02")
    for number, surface in enumerate(shown(spec)):
        own = surface.trajectories[0]
        every = [surfaces[number].trajectories[0] for surfaces in tried]
        ends = [float(np.log(way.values[-15:]).mean()) for way in every if len(way.values) == STEPS + 1]
        assert np.log(own.values[-15:]).mean() == pytest.approx(min(ends))
        assert own.name in [f"{spec}:lr={rate}" for rate in RATES]
        assert "each at the best of the learning rates" in surface.caption
        assert "at the given learning rate" in given[number].caption
        assert given[number].trajectories[0].name == f"{spec}:lr=0.02"


@pytest.mark.parametrize(
    ("spec", "beside"), [("adagrad", ["sgd", "adam"]), ("sgd", ["adam", "momentum"]), ("adam", ["sgd", "momentum"])]
)
def test_what_stands_beside(spec: str, beside: list[str]) -> None:
    """Two others, never the member itself."""
    for surface in shown(spec):
        own, *others = surface.trajectories
        assert not own.reference
        assert [(way.name.partition(":")[0], way.reference) for way in others] == [(name, True) for name in beside]


def test_what_runs_away_is_cut_and_said() -> None:
    """The trajectory ends before it leaves all that could be drawn, and it is drawn all the same."""
    surface = shown("sgd:lr=30")[0]
    assert len(surface.trajectories[0].points) == 1
    assert "sgd:lr=30.0 diverges at step 1." in surface.caption
    late = shown("sgd:lr=0.12")[2]
    assert 1 < len(late.trajectories[0].points) < STEPS
    assert all(map(math.isfinite, late.trajectories[0].values))
    assert "diverges" not in shown("sgd")[0].caption
    assert max(map(len, text(find("sgd:lr=30")).split("\n"))) <= 78


class _Probing(ByGroup):
    """Steps along the gradient that a curvature and a closure have been asked for before."""

    wants_curvature = True

    def __init__(self, groups: Any, lr: float) -> None:
        super().__init__(groups, {"lr": lr})
        self.observed: list[int] = []

    def observe_curvature(self, examples: int) -> None:
        self.observed.append(examples)
        assert self.param_groups[0]["params"][0].grad is not None

    def update(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> None:
        assert self.observed
        for p in parameters:
            assert p.grad is not None
            p -= group["lr"] * p.grad


@dataclass(frozen=True, kw_only=True)
class Probing(Optimizer):
    """Needs both, and takes no rate above 0.01."""

    lr: float = 0.001
    needs_closure: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lr > 0.01:
            from lossworks.core.errors import UsageError

            raise UsageError("too much")

    def torch(self, groups: Any) -> torch.optim.Optimizer:
        return _Probing(groups, self.lr)


def test_closures_curvatures_and_rates_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What evaluates again gets a closure, what estimates a curvature its slopes, and only rates that it takes are tried."""
    monkeypatch.setattr(trajectories, "render", lambda optimizer: "probing")
    surface = trajectories.surfaces(Probing(), rate_given=False)[1]
    same = trajectories.surfaces(replace(build("sgd"), lr=0.01), rate_given=True)[1]
    assert surface.trajectories[0].name == "probing:lr=0.01"
    np.testing.assert_allclose(surface.trajectories[0].points, same.trajectories[0].points)
    assert "curvature" in surface.caption
    assert isinstance(build("sgd"), SGD)
    assert "curvature" not in same.caption


def test_drawn_from_a_fixed_seed_and_leaving_the_world_alone() -> None:
    """The same points each time, and PyTorch's generator as it was."""
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one = shown("rmsprop")
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(8)
    assert shown("rmsprop") == one
