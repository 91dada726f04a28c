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
from ..data import TEST, VALID
from ..engine import Callbacks
from ..training import Settings
from .benchmark import Benchmark
from .design import Design
from .store import RUN, TUNE, Finished, Key
from .verdicts import FEWEST

_WARM, _FEWEST, _MOST = 3, 10, 400  # steps before the clock starts; steps timed at least and at most
_TIMED = 0.7  # seconds of steps that are enough
_FEWEST_TRIALS, _SHORTEST = 3, 4  # trials of an arm, and the share of a training's length, that are worth it to fit into a time


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """An arm's trainings still to do, and the seconds that one takes: ``fixed`` of them however short it is."""

    arm: str
    trials: int
    seeds: int
    seconds: float
    fixed: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Trainings to do and the seconds they take on ``jobs`` processes, reading and the search for duplicates included.

    length: of a training, as ("epochs", 10).
    """

    arms: tuple[ArmPlan, ...]
    reading: float
    jobs: int
    length: tuple[str, int] = ("epochs", 1)

    @property
    def trainings(self) -> int:
        return sum(arm.trials + arm.seeds for arm in self.arms)

    @property
    def seconds(self) -> float:
        return self.reading + self.working

    @property
    def working(self) -> float:
        """The seconds of the trainings."""
        return self._working(*self._most, 1.0)

    def fitting(self, seconds: float) -> dict[str, int] | None:
        """What to say instead so that the trainings fit into ``seconds``: fewer trials first, then shorter trainings, and only
        then fewer seeds, for it is these that a verdict stands on. None: nothing that is worth comparing fits.
        """
        trials, seeds = self._most
        name, length = self.length
        few, short = min(trials, _FEWEST_TRIALS), max(1, length // _SHORTEST)
        ways = [
            *((number, length, seeds) for number in range(trials, few, -1)),
            *((few, number, seeds) for number in range(length, short, -1)),
            *((few, short, number) for number in range(seeds, FEWEST - 1, -1)),
        ]
        for way in ways:
            if self._working(way[0], way[2], way[1] / length) <= seconds:
                said = zip(("trials", name, "seeds"), way, (trials, length, seeds), strict=True)
                return {key: new for key, new, old in said if new != old}
        return None

    @property
    def _most(self) -> tuple[int, int]:
        """Trials and seeds of the arm that has most."""
        return max(arm.trials for arm in self.arms), max(arm.seeds for arm in self.arms)

    def _working(self, trials: int, seeds: int, share: float) -> float:
        """The seconds of at most so many trials and seeds of each arm, each a ``share`` as long. More processes than processors
        share those there are.
        """
        numbers = [min(trials, arm.trials) + min(seeds, arm.seeds) for arm in self.arms]
        each = (arm.fixed + share * (arm.seconds - arm.fixed) for arm in self.arms)
        total = sum(number * one for number, one in zip(numbers, each, strict=True))
        return total / min(self.jobs, len(os.sched_getaffinity(0)), max(1, sum(numbers)))

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
        benchmark.read(arm.settings)
    benchmark.duplicates()
    reading = clock() - begun
    arms = []
    for number, arm in enumerate(design.arms):
        trials = design.trials if design.points(number, {}) else 0
        trials, seeds = (
            sum(Key(stage, number, each) not in done for each in range(of)) for stage, of in ((TUNE, trials), (RUN, design.seeds))
        )
        arms.append(ArmPlan(arm.name, trials, seeds, *_seconds(benchmark, arm.settings, clock)))
        tell("timed", {"arm": arm.name, "seconds": arms[-1].seconds, "done": number + 1, "of": len(design.arms)})
    lengths = [(name, getattr(arm.settings, name, None)) for arm in design.arms for name in ("steps", "epochs")]
    return Plan(tuple(arms), reading, jobs, next(((name, number) for name, number in lengths if number), ("epochs", 1)))


def _seconds(benchmark: Benchmark[Any], settings: Settings, clock: Callable[[], float]) -> tuple[float, float]:
    """Of one training with its scores and the metrics at its end; and of that, what does not grow with its steps."""
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

    training = benchmark.training(settings, Callbacks(watch=watch, stepped=stepped), (VALID, TEST))
    made, mark = clock() - begun, clock()
    with suppress(Diverged):
        training.run()
    begun = clock()
    benchmark.scored(training.answers(), settings)
    measured = clock() - begun
    step = fmean(steps[_WARM:] or steps or [0.0])
    validation = median(validations or [0.0])
    fixed = made + validation * training.scores + measured
    return fixed + step * training.steps, fixed + step * (training.steps == 1)
