"""Planted faults, each of which the battery must catch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch

from lossworks.optim import build
from optim.battery import check_trajectory, told


class Altered(torch.optim.Optimizer):
    """Another optimiser with its gradients, its settings or its parameters tampered with at each step."""

    def __init__(self, inner: torch.optim.Optimizer, before: Callable[[Any], None], times: int = 1) -> None:
        super().__init__([p for group in inner.param_groups for p in group["params"]], {"lr": 0.0})
        self.param_groups = inner.param_groups
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
