"""Schedules beside PyTorch's, their warm-up, their lengths, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, lr_scheduler

from lossworks.core.errors import UsageError
from lossworks.schedules import Clock, Length, build, render, schedules

NAMES = [entry.name for entry in schedules]
CLOCK = Clock(steps=60, per_epoch=12, tokens=100)

THEIRS: dict[str, Callable[[Any], Any]] = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1.0),
    "step:gamma=0.3,every=7": lambda o: lr_scheduler.StepLR(o, 7, gamma=0.3),
    "exponential:gamma=0.9,every=1": lambda o: lr_scheduler.ExponentialLR(o, gamma=0.9),
    "linear:final=0.25": lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=60),
    "cosine:final=0.1": lambda o: lr_scheduler.CosineAnnealingLR(o, 60, eta_min=0.1),
    "one_cycle:warmup=18,start=0.1,final=0.01": lambda o: lr_scheduler.OneCycleLR(
        o, max_lr=1.0, total_steps=60, pct_start=0.3, div_factor=10, final_div_factor=10, cycle_momentum=False
    ),
}


def optimizer() -> SGD:
    """One group at the rate 1."""
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def rates(scheduler: Any, made: SGD) -> list[float]:
    """The rate of each of 60 steps."""
    found = []
    for _ in range(60):
        found.append(made.param_groups[0]["lr"])
        made.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("spec", THEIRS)
def test_beside_pytorch(spec: str) -> None:
    """The rate of every step is that of PyTorch's scheduler, as a scheduler too."""
    ours, theirs = optimizer(), optimizer()
    wanted = rates(THEIRS[spec](theirs), theirs)
    assert rates(build(spec).over(ours, CLOCK), ours) == pytest.approx(wanted, rel=1e-9)
    assert [build(spec).factor(step, CLOCK) for step in range(60)] == pytest.approx(wanted, rel=1e-9)


def test_plateau_beside_pytorch() -> None:
    """It falls at the evaluations where PyTorch's falls, whose patience counts one less, and which knows no rise after."""
    scores = [5.0, 4.0, 4.0, 3.9999, 4.1, 4.0, 2.0, 2.5, 2.5, 2.5, 1.0]
    made = optimizer()
    theirs = lr_scheduler.ReduceLROnPlateau(made, factor=0.5, patience=1)
    ours = build("plateau:patience=2")
    for number, score in enumerate(scores):
        theirs.step(score)
        assert ours.factor(99, CLOCK, scores[: number + 1]) == pytest.approx(made.param_groups[0]["lr"])


def test_by_hand() -> None:
    """Warm-up, stable, decay: the last fifth of 60 steps falls with the root of what is done; the inverse root from its top."""
    wsd = build("wsd:warmup=4,final=0.1")
    assert [wsd.factor(step, CLOCK) for step in (0, 1, 2, 3, 4, 48)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert wsd.factor(51, CLOCK) == pytest.approx(1 - 0.9 * math.sqrt(3 / 12))
    root = build("inverse_sqrt:warmup=4")
    assert [root.factor(step, CLOCK) for step in (0, 3, 8, 15, 35)] == pytest.approx([0.25, 1, 2 / 3, 0.5, 1 / 3])


@pytest.mark.parametrize("name", NAMES)
def test_warm_up(name: str) -> None:
    """Every schedule takes a warm-up, rises to 1 in it, and never leaves [0, 1]; its spec goes there and back."""
    schedule = build(f"{name}:warmup=1epochs")
    factors = [schedule.factor(step, CLOCK, [1.0]) for step in range(60)]
    assert factors[:12] == sorted(factors[:12])
    assert factors[0] < 0.2
    assert factors[11] == pytest.approx(1.0)
    assert all(0 <= factor <= 1 for factor in factors)
    assert build(render(schedule)) == schedule
    assert "Domain" in (type(schedule).__doc__ or "")
    assert schedules[name].source


@pytest.mark.parametrize(
    ("spelled", "steps"), [("7", 7), ("7 steps", 7), ("1.5epochs", 18), ("1e3tokens", 10), ("5%", 3), (0, 0), ("1epoch", 12)]
)
def test_lengths(spelled: Any, steps: float) -> None:
    """Lengths in steps, epochs, tokens and shares; what they are spelled as goes there and back."""
    assert Length(spelled).steps(CLOCK) == pytest.approx(steps)
    assert Length(str(Length(spelled))) == Length(spelled)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("cosine:warmup=3furlongs", "warmup.*3furlongs"), ("cosine:warmup=-1", "warmup.*-1"), ("wsd:decay=101%", "100% or less"),
        ("wsd:decay=1.2.3", "no number"), ("step:gamma=2", "gamma"), ("step:every=0", "every"), ("linear:final=nan", "final"),
        ("plateau:patience=0", "patience"), ("one_cycle:start=-1", "start"), ("cosin", "Did you mean 'cosine'"),
        ("exponential:every=0%", "every"), ("cosine:gamma=1", "gamma"),
    ],
)  # fmt: skip
def test_refused(spec: str, word: str) -> None:
    """Values outside their domain are refused when the spec is read, by name."""
    with pytest.raises(UsageError, match=word):
        build(spec)


@pytest.mark.parametrize(("spec", "word"), [("linear:warmup=5tokens", "tokens"), ("linear:warmup=1epochs", "epochs")])
def test_what_nobody_counts(spec: str, word: str) -> None:
    """A length in a unit that is not counted is an error that says which units are."""
    with pytest.raises(UsageError, match=f"{word}.*Give it in steps"):
        build(spec).factor(0, Clock(10))


def test_scheduler_goes_on() -> None:
    """A scheduler's state, held-out scores among it, is taken up by another."""
    first, second = optimizer(), optimizer()
    ours = build("plateau:warmup=3").over(first, CLOCK)
    for score in (1.0, 2.0, 2.0):
        first.step()
        ours.observe(score)
        ours.step()
    again = build("plateau:warmup=3").over(second, CLOCK)
    again.load_state_dict(ours.state_dict())
    second.step()
    again.step()
    assert second.param_groups[0]["lr"] == pytest.approx(0.25)


def _step(made: Adam, scheduler: Any = None) -> float:
    """One step; the rate it was made at."""
    rate = float(made.param_groups[0]["lr"])
    made.param_groups[0]["params"][0].grad = torch.ones(1)
    made.step()
    if scheduler is not None:
        scheduler.step()
    return rate


def _adam() -> Adam:
    return Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5)


@pytest.mark.parametrize("order", ["build load both", "load build both", "load both build", "build load last"])
def test_resumed_at_the_rate_of_the_next_step(order: str) -> None:
    """Whenever the scheduler is built, and whichever state is loaded first: the rates are those of the run that never stopped."""
    spec = build("linear:warmup=4,final=0")
    straight = _adam()
    scheduler = spec.over(straight, CLOCK)
    wanted = [_step(straight, scheduler) for _ in range(12)]
    first = _adam()
    before = spec.over(first, CLOCK)
    assert [_step(first, before) for _ in range(7)] == wanted[:7]
    state, rates_state = first.state_dict(), before.state_dict()
    second = _adam()
    if order.startswith("load"):
        second.load_state_dict(state)
    after = spec.over(second, CLOCK)
    if order == "build load last":
        after.load_state_dict(rates_state)
        second.load_state_dict(state)
    elif order == "build load both":
        second.load_state_dict(state)
        after.load_state_dict(rates_state)
    else:
        after.load_state_dict(rates_state)
    assert [_step(second, after) for _ in range(5)] == wanted[7:]
    assert after.state_dict()["last_epoch"] == 12


@pytest.mark.parametrize("built_first", [False, True])
def test_a_state_without_a_scheduler(built_first: bool) -> None:
    """The rate it was saved with is what the schedule multiplies, from its first step on."""
    plain = Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.25)
    _step(plain)
    made, spec = _adam(), build("constant:warmup=4")
    if built_first:
        scheduler = spec.over(made, CLOCK)
        made.load_state_dict(plain.state_dict())
    else:
        made.load_state_dict(plain.state_dict())
        scheduler = spec.over(made, CLOCK)
    assert [_step(made, scheduler) for _ in range(5)] == [0.0625, 0.125, 0.1875, 0.25, 0.25]


def test_a_taken_state_stands() -> None:
    """Scores that are observed later do not enter it, nor does what goes on from it share them."""
    scheduler = build("plateau").over(optimizer(), CLOCK)
    scheduler.observe(1.0)
    state = scheduler.state_dict()
    other = build("plateau").over(optimizer(), CLOCK)
    other.load_state_dict(state)
    other.observe(2.0)
    scheduler.observe(3.0)
    assert state["scores"] == [1.0]
    assert other.scores == [1.0, 2.0]


def test_misuse_is_refused_with_the_remedy() -> None:
    """A number of steps for a clock, and a spec or one of our optimizers for PyTorch's."""
    with pytest.raises(UsageError, match=r"got 100 as a clock.*Clock\(steps=1000\)"):
        build("cosine").over(optimizer(), 100)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'adam' as an optimizer.*over\(model\)"):
        build("cosine").over("adam", CLOCK)  # type: ignore[arg-type]
