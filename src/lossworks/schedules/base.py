"""What a schedule is: a frozen dataclass that says what the learning rate is multiplied with at a step.

The factor is a function of the step, of how long training is, and of the held-out scores so far; nothing is remembered, so a
resumed run goes on as if it had never stopped.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from ..core.registry import Registry
from .length import Clock, Length

if TYPE_CHECKING:
    import torch

    from .scheduler import Scheduler


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """The root of every schedule.

    warmup: how long the factor rises before, in equal parts, to 1: the first step has 1/warmup of it.
    """

    warmup: Length = Length(0)

    def factor(self, step: int, clock: Clock, scores: Sequence[float] = ()) -> float:
        """What the learning rate of step number ``step``, from 0, is multiplied with.

        Args:
            clock: how long training is.
            scores: of the held-out rows, one an evaluation, lower is better; for schedules that follow them.
        """
        rise = self.warmup.steps(clock)
        if step + 1 < rise:
            return (step + 1) / rise
        return self.after(max(0.0, step - max(0.0, rise - 1)), max(1.0, clock.steps - max(0.0, rise - 1)), clock, scores)

    @abstractmethod
    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        """The factor at step ``step`` of the ``steps`` after the warm-up, the last of which is ``steps - 1``."""

    def over(self, optimizer: torch.optim.Optimizer, clock: Clock) -> Scheduler:
        """A PyTorch scheduler of ``optimizer`` by this schedule, for anybody's own loop: ``step()`` it after each step.

        Raises:
            UsageError: the optimizer is none of PyTorch's, or the clock is something else, such as a number of steps.
        """
        import torch

        from .scheduler import Scheduler

        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UsageError(f"over: got {optimizer!r} as an optimizer. Give PyTorch's: optim.build('adam').over(model).")
        if not isinstance(clock, Clock):
            raise UsageError(f"over: got {clock!r} as a clock, which says how long training is. Give Clock(steps=1000).")
        return Scheduler(optimizer, self, clock)


schedules: Registry[Schedule] = Registry("schedule", "lossworks.schedules", Schedule, "Give a spec such as 'cosine:warmup=100'.")
build, render = schedules.build, schedules.render
"""From a spec such as ``"cosine:warmup=5%"``, and back to it."""


def check_long(schedule: Schedule, *names: str) -> None:
    """Raise UsageError where a length that is divided by is 0."""
    for name in names:
        if not getattr(schedule, name).amount > 0:
            raise UsageError(f"{name} is {getattr(schedule, name)}; wanted a length above 0.")


def cosine(share: float) -> float:
    """From 1 at 0 to 0 at 1, along half a wave."""
    return (1 + math.cos(math.pi * min(1.0, share))) / 2
