"""What a comparison will do and how long that takes, told from a few real steps of every arm."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from threading import Event
from typing import Any

from ..core.errors import Diverged, Interrupted
from ..train import Control, Settings
from ..train.validation import held_out
from .runs import Protocol
from .store import RUN, TUNE, Finished, Key
from .training import Field

_WARM, _FEWEST, _MOST = 3, 10, 400  # steps before the clock starts; steps timed at least and at most
_TIMED = 0.7  # seconds of steps that are enough


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """An arm's trainings still to do, and the seconds that one takes."""

    arm: str
    trials: int
    seeds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Trainings to do and the seconds they take on ``jobs`` processes, reading included."""

    arms: tuple[ArmPlan, ...]
    reading: float
    jobs: int

    @property
    def trainings(self) -> int:
        return sum(arm.trials + arm.seeds for arm in self.arms)

    @property
    def seconds(self) -> float:
        """More processes than processors share those there are."""
        working = sum((arm.trials + arm.seeds) * arm.seconds for arm in self.arms)
        return self.reading + working / min(self.jobs, len(os.sched_getaffinity(0)), max(1, self.trainings))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "trainings": self.trainings,
            "seconds": self.seconds,
            "jobs": self.jobs,
            "arms": [asdict(arm) for arm in self.arms],
        }


def plan(protocol: Protocol, field: Field, done: Finished, jobs: int, tell: Callable[[str, dict[str, Any]], None]) -> Plan:
    """Time every arm's steps and say what is left to do."""
    begun = time.monotonic()
    for model in {(arm.settings.model, arm.settings.class_weight): arm for arm in protocol.arms}.values():
        field.loop(model.settings, Control())  # reads the texts
    reading = time.monotonic() - begun
    arms = []
    for number, arm in enumerate(protocol.arms):
        trials = protocol.trials if protocol.points(number, {}) else 0
        trials, seeds = (
            sum(Key(stage, number, each) not in done for each in range(of))
            for stage, of in ((TUNE, trials), (RUN, protocol.seeds))
        )
        arms.append(ArmPlan(arm.name, trials, seeds, _seconds(field, arm.settings)))
        tell("timed", {"arm": arm.name, "seconds": arms[-1].seconds, "done": number + 1, "of": len(protocol.arms)})
    return Plan(tuple(arms), reading, jobs)


def _seconds(field: Field, settings: Settings) -> float:
    """Of one training with its validations and the figures at its end."""
    stop, times = Event(), list[float]()

    def stepped() -> None:
        times.append(time.monotonic())
        timed = len(times) - 1 - _WARM
        if timed >= _FEWEST and (times[-1] - times[_WARM] >= _TIMED or timed >= _MOST):
            stop.set()

    begun = time.monotonic()
    loop = field.loop(settings, Control(stop=stop, stepped=stepped))
    made, times = time.monotonic() - begun, [time.monotonic()]
    with suppress(Interrupted, Diverged):
        loop.run()
    timed = times[_WARM:] if len(times) > _WARM + 1 else times
    step = (timed[-1] - timed[0]) / max(1, len(timed) - 1)
    assert loop.data.valid is not None
    begun = time.monotonic()
    held_out(loop.data, loop.network, loop.loss, loop.data.valid)
    validation = time.monotonic() - begun
    begun = time.monotonic()
    field.measure(loop, tested=True)
    measured = time.monotonic() - begun
    return made + (step * loop.length + validation) * int(settings.epochs or 1) + measured
