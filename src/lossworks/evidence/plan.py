"""What a comparison will do and how long that takes, told from a few real steps of every arm."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from ..core.errors import Diverged
from ..engine import Callbacks
from ..training import Settings
from .benchmark import Benchmark
from .runs import Design
from .store import RUN, TUNE, Finished, Key

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
    """Trainings to do and the seconds they take on ``jobs`` processes, reading and the search for duplicates included."""

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


def plan(
    design: Design,
    benchmark: Benchmark[Any],
    done: Finished,
    jobs: int,
    tell: Callable[[str, dict[str, Any]], None],
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Time every arm's steps and say what is left to do.

    Args:
        design, benchmark: what is to be done, and on what.
        done: the trainings that have ended.
        jobs: processes.
        tell: told ``("timed", {"arm": …, "seconds": …})`` of each arm.
        clock: seconds, from any point.
    """
    begun = clock()
    for arm in design.arms:
        benchmark.ready(arm.settings)
    benchmark.duplicates()
    reading = clock() - begun
    arms = []
    for number, arm in enumerate(design.arms):
        trials = design.trials if design.points(number, {}) else 0
        trials, seeds = (
            sum(Key(stage, number, each) not in done for each in range(of)) for stage, of in ((TUNE, trials), (RUN, design.seeds))
        )
        arms.append(ArmPlan(arm.name, trials, seeds, _seconds(benchmark, arm.settings, clock)))
        tell("timed", {"arm": arm.name, "seconds": arms[-1].seconds, "done": number + 1, "of": len(design.arms)})
    return Plan(tuple(arms), reading, jobs)


def _seconds(benchmark: Benchmark[Any], settings: Settings, clock: Callable[[], float]) -> float:
    """Of one training with its scores and the metrics at its end."""
    steps, validations = list[float](), list[float]()
    begun = mark = clock()

    def note(into: list[float]) -> None:
        nonlocal mark
        mark, before = clock(), mark
        into.append(mark - before)

    def stepped() -> None:
        note(steps)
        timed = len(steps) - _WARM
        if timed >= _FEWEST and (timed >= _MOST or sum(steps[_WARM:]) >= _TIMED):
            training.stop_after(len(steps))  # ends the epoch here, with its validation

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "valid":
            note(validations)

    training = benchmark.training(settings, Callbacks(watch=watch, stepped=stepped))
    made, mark = clock() - begun, clock()
    with suppress(Diverged):
        training.run()
    begun = clock()
    training.score(tested=True)
    measured = clock() - begun
    step = fmean(steps[_WARM:] or steps or [0.0])
    validation = median(validations or [0.0])
    return made + step * training.steps + validation * training.scores + measured
