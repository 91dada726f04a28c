"""What the trainings of a comparison are, in which order they can be done, and what each arm is tuned to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data import ReadOptions
from ..training import Settings
from ..training.teaching import Teacher
from . import tuning
from .arms import Arm
from .lineup import Pool
from .store import RUN, TUNE, Finished, Key, Store


@dataclass(frozen=True, slots=True)
class Design:
    """All that a worker needs to know; the same for every worker of a comparison.

    name: in the storage; the same on every machine that takes part.    sources: as ``load`` takes them, each with its part.
    controls, pools: as of ``Lineup``.    teachers: as of ``Benchmark``.    own: files that register losses and the like.
    """

    name: str
    sources: tuple[tuple[Any, int | None], ...]
    read: ReadOptions | None
    common: dict[str, Any]
    of_language: bool
    arms: tuple[Arm, ...]
    metric: str
    seeds: int
    trials: int
    tune: tuple[tuning.Dimension, ...]
    folder: Path
    storage: str | None
    controls: dict[int, dict[str, int]] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()
    teachers: dict[str, Callable[[], Teacher]] = field(default_factory=dict)
    own: tuple[tuple[Path, str], ...] = ()

    @property
    def members(self) -> set[int]:
        """The places of arms that are in a pool."""
        return {member for pool in self.pools for member in pool.members}

    @property
    def split_seed(self) -> int:
        """Of the split and the trials; the seeds that count come after it."""
        return int(self.common.get("seed", 0))

    def store(self) -> Store:
        """The finished trainings, as this process sees them."""
        return Store(self.folder, self.storage, self.name, [arm.name for arm in self.arms])

    def points(self, arm: int, done: Finished) -> list[dict[str, float]]:
        """The trials of an arm that can be told so far."""
        scores: list[float] = []
        while (outcome := done.get(Key(TUNE, arm, len(scores)))) is not None:
            scores.append(outcome.judged)
        return tuning.points(self.tune, self.arms[arm].settings, self.trials, scores, self.split_seed)

    def chosen(self, arm: int, done: Finished) -> tuple[dict[str, float], Settings] | None:
        """What an arm was tuned to, and its settings with that; None while trials are missing."""
        points, settings = self.points(arm, done), self.arms[arm].settings
        wanted = self.trials if points else 0
        if len(points) < wanted or any(Key(TUNE, arm, n) not in done for n in range(wanted)):
            return None
        if not points:
            return {}, settings
        best = points[min(range(wanted), key=lambda n: done[Key(TUNE, arm, n)].judged)]
        return best, self.tuned(settings, best)

    def tuned(self, settings: Settings, point: dict[str, float]) -> Settings:
        """The settings with what was tuned put in."""
        for one in self.tune:
            if one.name in point:
                settings = one.apply(settings, point[one.name])
        return settings

    def seed(self, key: Key) -> int:
        """Trials have the split's seed, the trainings that count the seeds after it."""
        return self.split_seed + (0 if key.stage == TUNE else 1 + key.number)

    def ready(self, done: Finished) -> list[tuple[Key, dict[str, float], Settings]]:
        """The trainings that can be done now: every arm's trials, then seed by seed every arm that is tuned."""
        found: list[tuple[Key, dict[str, float], Settings]] = []
        for arm, one in enumerate(self.arms):
            points = enumerate(self.points(arm, done))
            found += [(Key(TUNE, arm, number), point, self.tuned(one.settings, point)) for number, point in points]
        found.sort(key=lambda task: task[0].number)
        chosen = [self.chosen(arm, done) for arm in range(len(self.arms))]
        for seed in range(self.seeds):
            found += [(Key(RUN, arm, seed), *of) for arm, of in enumerate(chosen) if of is not None]
        return [task for task in found if task[0] not in done]

    @property
    def total(self) -> int:
        """How many trainings there are."""
        tuned = sum(bool(self.points(arm, {})) for arm in range(len(self.arms)))
        return tuned * self.trials + len(self.arms) * self.seeds
