"""Curves of schedules, by training step."""

from __future__ import annotations

import torch

from ..schedules import Clock, Schedule, render, schedules
from .curve import Curve, panel

STEPS, EPOCHS = 1000, 20
SCORES = (2.0, 1.5, 1.2, 1.1, 1.1, 1.1, 1.1, 1.0, 1.0, 1.0, 1.0, 0.95, 0.95, 0.95, 0.95, 0.9, 0.9, 0.9, 0.9)


def rate(schedule: Schedule) -> Curve:
    """The factor of the learning rate, with the cosine schedule."""
    clock = Clock(STEPS, STEPS / EPOCHS, tokens=1000)
    plain = schedules["cosine"].thing()

    def factors(which: Schedule) -> torch.Tensor:
        return torch.tensor([which.factor(step, clock, SCORES[: step * EPOCHS // STEPS]) for step in range(STEPS)])

    own, reference = (render(schedule), factors(schedule)), (render(plain), factors(plain))
    follows = schedule.factor(STEPS, clock, SCORES) != schedule.factor(STEPS, clock)
    scores = f" The validation score falls from {SCORES[0]:g} to {SCORES[-1]:g} with four plateaus." if follows else ""
    return Curve(
        caption=f"{STEPS} steps of 1,000 tokens, {EPOCHS} epochs.{scores}",
        x_name="step",
        x=tuple(map(float, range(STEPS))),
        panels=(panel("factor of the learning rate", own, None if schedule == plain else reference),),
    )
