"""What is noted between two lines of the log: means since the last one, how healthy the steps are, and loss spikes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from ..optim import Health

_EXAMINE_EVERY = 1.0  # seconds between steps that are looked at,
_SHARE = 0.02  # and never so often that looking takes more of the time than this
_SETTLED, _FAR = 50, 8.0  # steps before anything counts as a spike; deviations above the usual loss


@dataclass(slots=True)
class Since:
    """What has happened since the last line: Σ weight · loss, weight, rows, and the step that was looked at."""

    told: float = field(default_factory=time.monotonic)
    examine_at: float = 0.0
    clipped: int = 0
    amount: float = 0.0
    weight: float = 0.0
    rows: int = 0
    steps: int = 0
    health: Health | None = None

    @property
    def is_due(self) -> bool:
        """Whether the next step is to be looked at."""
        return self.health is None and time.monotonic() >= self.examine_at

    def add(self, amount: float, weight: float, rows: int, health: Health | None, seconds: float) -> None:
        """Take note of a step, which took so many ``seconds``."""
        self.amount, self.weight, self.rows, self.steps = (
            self.amount + amount,
            self.weight + weight,
            self.rows + rows,
            self.steps + 1,
        )
        if health is not None:
            self.health, self.examine_at = health, time.monotonic() + max(_EXAMINE_EVERY, seconds / _SHARE)

    def fields(self, lr: float, clipped: int) -> dict[str, Any]:
        """The line."""
        seconds = max(time.monotonic() - self.told, 1e-9)
        line: dict[str, Any] = {"loss": self.amount / self.weight, "examples_per_second": self.rows / seconds, "lr": lr}
        if self.health is not None:
            moved = {role: round(ratio, 9) for role, ratio in self.health.moved.items() if ratio is not None}
            line |= {"moved": moved}
            if self.health.gradient_norm is not None:
                line["gradient_norm"] = self.health.gradient_norm
        return line | {"clipped": (clipped - self.clipped) / self.steps}

    def next(self, clipped: int) -> Since:
        """After the line."""
        return Since(examine_at=self.examine_at, clipped=clipped)


@dataclass(slots=True)
class Spikes:
    """Tells when a step's loss stands out of those before, by their exponentially forgotten mean and deviation."""

    mean: float = 0.0
    square: float = 0.0
    steps: int = 0

    def usual(self, loss: float) -> float | None:
        """The usual loss, where this one stands out of it."""
        deviation = math.sqrt(max(0.0, self.square - self.mean**2))
        spike = self.steps >= _SETTLED and loss > self.mean + _FAR * max(deviation, 0.01 * abs(self.mean))
        usual = self.mean if spike else None
        rest = 1 / min(self.steps + 1, _SETTLED)
        taken = min(loss, self.mean + _FAR * deviation) if self.steps >= _SETTLED else loss  # or one spike would hide the next
        self.mean += rest * (taken - self.mean)
        self.square += rest * (taken**2 - self.square)
        self.steps += 1
        return usual
