"""Planted faults, each of which the battery must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from lossworks.optim import build, optimizers
from lossworks.optim.base import Optimizer
from lossworks.optim.rules.schedule_free import TwoPoints
from optim.battery import check_trajectory, told
from optim.recorded import check_recorded, runs
from optim.test_penalised_optimum import optimum, trained


class Altered(torch.optim.Optimizer):
    """Another optimiser with its gradients, its settings or its parameters tampered with at each step."""

    def __init__(self, inner: torch.optim.Optimizer, before: Callable[[Any], None], times: int = 1) -> None:
        super().__init__([p for group in inner.param_groups for p in group["params"]], {"lr": 0.0})
        self.param_groups = inner.param_groups
        self.inner, self.before, self.times, self.state = inner, before, times, inner.state

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)

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
    ((spec, reference),) = told("adamw").REFERENCE.items()
    fields = build(spec)

    class Broken(type(fields)):  # type: ignore[misc]
        faulty = True

        def torch(self, groups: list[Any]) -> torch.optim.Optimizer:
            inner = super().torch(groups)
            return Altered(inner, fault, times) if self.faulty else Altered(inner, lambda inner: None)

    class Sound(Broken):
        faulty = False

    check_trajectory(Sound(**asdict(fields)), reference)
    with pytest.raises(AssertionError):
        check_trajectory(Broken(**asdict(fields)), reference)


@pytest.mark.parametrize(("name", "factor"), [("sgd", -1.0), ("adagrad", -1.0), ("rmsprop", -1.0), ("rmsprop", 1.01)])
def test_broken_rows_are_caught(name: str, factor: float) -> None:
    """A wrong sign, or a step too long by a hundredth, in the steps by rows."""
    ((spec, reference),) = told(name).REFERENCE.items()
    sound = build(spec)

    class Broken(type(sound)):  # type: ignore[misc]
        def update_rows(self, weight: Any, state: Any, gradient: Any, step: int, lr: float) -> None:
            before = weight.copy()
            super().update_rows(weight, state, gradient, step, lr)
            weight[:] = before + factor * (weight - before)

    with pytest.raises(AssertionError):
        check_trajectory(Broken(**asdict(sound)), reference)


def forget(*names: str) -> Callable[[Any], None]:
    """These parts of the state are zero before each step."""

    def fault(inner: Any) -> None:
        for state in inner.state.values():
            for name in names:
                if name in state:
                    state[name].zero_()

    return fault


def same_for_all(name: str) -> Callable[[Any], None]:
    """The parameters share a part of their state: its mean is everybody's."""

    def fault(inner: Any) -> None:
        held = [state[name] for state in inner.state.values() if name in state]
        for each in held:
            each.fill_(torch.stack([other.mean() for other in held]).mean())

    return fault


def set_in_groups(**values: Any) -> Callable[[Any], None]:
    """A hyperparameter that is not what it was said to be, or a number that does not grow."""

    def fault(inner: Any) -> None:
        for group in inner.param_groups:
            group.update(values)

    return fault


def decay_before(inner: Any) -> None:
    """Decay of the weights before the step, in the place of after it."""
    for group in inner.param_groups:
        with torch.no_grad():
            for p in group["params"]:
                p.mul_(1 - group["lr"] * group["weight_decay"])
    ignore_decay(inner)


OWN = {
    "lion, no memory": ("lion", forget("exp_avg")),
    "lion, betas exchanged": ("lion", set_in_groups(beta1=0.97, beta2=0.85)),
    "ademamix, no bias correction": ("ademamix", skip_bias_correction),
    "ademamix, no slow average": ("ademamix", set_in_groups(alpha=0.0)),
    "ademamix, warmed up at once": ("ademamix", set_in_groups(warmup_alpha=0)),
    "ademamix, shared state": ("ademamix", same_for_all("exp_avg_slow")),
    "adan, no difference": ("adan", forget("exp_avg_diff")),
    "adan, decay first": ("adan", decay_before),
    "adan, shared state": ("adan", same_for_all("exp_avg_sq")),
    "sophia, h never updated": ("sophia", forget("hessian")),
    "sophia, shared state": ("sophia", same_for_all("hessian")),
    "schedule-free, no warm-up": ("schedule_free_sgd", set_in_groups(warmup=0)),
    "schedule-free, never averaged": ("schedule_free_sgd", set_in_groups(sum=0.0)),
    "schedule-free, shared state": ("schedule_free_adamw", same_for_all("exp_avg_sq")),
    "schedule-free, no bias correction": ("schedule_free_adamw", set_in_groups(steps=1_000_000)),
    "prodigy, d never grows": ("prodigy", set_in_groups(d=0.001)),
    "prodigy, no memory of s": ("prodigy", forget("grad_sum")),
    "prodigy, shared state": ("prodigy", same_for_all("exp_avg_sq")),
}


def broken(optimizer: Optimizer, fault: Callable[[Any], None]) -> Optimizer:
    """The same optimiser, tampered with before each of its steps."""
    kind = type(optimizer)
    made = {"torch": lambda self, groups: Altered(kind.torch(self, groups), fault)}
    return type(kind.__name__, (kind,), made)(**asdict(optimizer))


@pytest.mark.parametrize(("name", "fault"), OWN.values(), ids=list(OWN))
def test_broken_rules_are_caught(name: str, fault: Callable[[Any], None]) -> None:
    """Faults in our own rules leave the recorded way; without them the same construction follows it."""
    caught = 0
    for spec, run in runs(name).items():
        check_recorded(broken(build(spec), lambda inner: None), run)
        try:
            check_recorded(broken(build(spec), fault), run)
        except AssertionError:
            caught += 1
    assert caught


def test_wrong_mode_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Schedule-free weights saved as they are in training."""
    ((spec, run),) = runs("schedule_free_sgd").items()
    monkeypatch.setattr(TwoPoints, "eval", lambda self: None)
    with pytest.raises(AssertionError, match="to evaluate with"):
        check_recorded(build(spec), run)


def test_penalty_on_the_wrong_point_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A penalty that moves what shows, and not the fast point, leads elsewhere."""
    kind = optimizers["schedule_free_sgd"].thing
    monkeypatch.setattr(kind, "penalise", Optimizer.penalise)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(trained("schedule_free_sgd", "l2:strength=0.03", {0.5: 800}), optimum("l2"), atol=0.03)
