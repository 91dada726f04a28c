"""How long a comparison takes is told beforehand, from a few timed steps of every arm."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clocks import WoundClock
from lossworks.api.compare import plan_of
from lossworks.evidence.plan import plan

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"


class Arm:
    """A training of 600 steps and 6 scores: made in 3 seconds, a step takes 0.125 after 3 slow ones, a score 2, the end 5."""

    steps, scores = 600, 6

    def __init__(self, clock: WoundClock, callbacks: Any) -> None:
        self.clock, self.callbacks, self.last = clock, callbacks, 600
        clock.pass_by(3.0)

    def stop_after(self, step: int) -> None:
        self.last = step

    def run(self) -> None:
        done = 0
        while done < self.last:
            done += 1
            self.clock.pass_by(9.0 if done <= 3 else 0.125)
            self.callbacks.stepped()
        self.clock.pass_by(2.0)
        self.callbacks.watch("valid", {})

    def answers(self) -> None:
        self.clock.pass_by(4.0)


def test_seconds() -> None:
    """Making, every step, every score and the metrics at the end are counted, and reading; slow first steps are not taken for
    usual; processes beyond the cores are no help.
    """
    clock = WoundClock()
    benchmark = SimpleNamespace(
        read=lambda settings: clock.pass_by(7.0),
        duplicates=lambda: clock.pass_by(1.0),
        training=lambda settings, callbacks, parts: Arm(clock, callbacks),
        scored=lambda answers, settings: clock.pass_by(1.0),
    )
    arms = [SimpleNamespace(name="one", settings=None), SimpleNamespace(name="two", settings=None)]
    design = SimpleNamespace(arms=arms, trials=2, seeds=3, points=lambda arm, done: [{}])
    found = plan(design, benchmark, {}, 1, lambda event, fields: None, clock=clock)  # type: ignore[arg-type]
    a_training = 3.0 + 600 * 0.125 + 6 * 2.0 + 5.0
    assert [(arm.seconds, arm.fixed) for arm in found.arms] == [(a_training, 3.0 + 6 * 2.0 + 5.0)] * 2
    assert found.seconds == 2 * 7.0 + 1.0 + 10 * a_training


def test_what_is_told() -> None:
    """Every training is counted, and more processes take less time, but for the reading."""
    told = plan_of(REVIEWS, loss=["cross_entropy", "mse"], model="linear:bits=10", epochs=1, seeds=3, trials=5)
    assert (told.trainings, [(arm.arm, arm.trials, arm.seeds) for arm in told.arms]) == (
        16,
        [("cross_entropy", 5, 3), ("mse", 5, 3)],
    )
    assert told.seconds == pytest.approx(told.reading + 8 * sum(arm.seconds for arm in told.arms))
    assert told.to_json()["trainings"] == 16
    assert min(arm.seconds for arm in told.arms) > 0
