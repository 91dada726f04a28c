"""What watches a training: means between two lines of the log, the health of steps, loss spikes, and overfitting."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..optim import Health

_EXAMINE_EVERY = 1.0  # seconds between steps that are looked at,
_SHARE = 0.02  # and never so often that looking takes more of the time than this
_SETTLED, _FAR = 50, 8.0  # steps before anything counts as a spike; deviations above the usual loss,
_ROW = 2  # in so many steps in a row: a batch of hard examples comes alone, by chance, and training that breaks loose lasts
_TURNED = 2  # held-out scores above the best, in a row, before it is called overfitting


@dataclass(slots=True)
class LogWindow:
    """What has happened ``since`` the last line: Σ weight · loss, weight, size of the steps, and the step that was looked at."""

    since: float
    examine_at: float = 0.0
    clipped: int = 0
    amount: float = 0.0
    weight: float = 0.0
    size: int = 0
    steps: int = 0
    health: Health | None = None

    def is_due(self, now: float) -> bool:
        """Whether the next step is to be looked at."""
        return self.health is None and now >= self.examine_at

    def add(self, amount: float, weight: float, size: int, health: Health | None, now: float, seconds: float) -> None:
        """Take note of a step, which took so many ``seconds``."""
        self.amount += amount
        self.weight += weight
        self.size += size
        self.steps += 1
        if health is not None:
            self.health, self.examine_at = health, now + max(_EXAMINE_EVERY, seconds / _SHARE)

    def fields(self, now: float, lr: float, clipped: int, speed: str) -> dict[str, Any]:
        """The line; ``speed`` names what is a second."""
        seconds = max(now - self.since, 1e-9)
        line: dict[str, Any] = {"loss": self.amount / self.weight, speed: self.size / seconds, "lr": lr}
        if self.health is not None:
            line["moved"] = {role: round(ratio, 9) for role, ratio in self.health.moved.items() if ratio is not None}
            if self.health.gradient_norm is not None:
                line["gradient_norm"] = self.health.gradient_norm
        return line | {"clipped": (clipped - self.clipped) / self.steps}

    def next(self, now: float, clipped: int) -> LogWindow:
        """After the line."""
        return LogWindow(now, examine_at=self.examine_at, clipped=clipped)


@dataclass(slots=True)
class Spikes:
    """Tells, once each time, that the loss has come to stand out, by its exponentially forgotten mean and deviation.

    high: steps in a row, up to the last, whose loss did.
    """

    mean: float = 0.0
    square: float = 0.0
    steps: int = 0
    high: int = 0

    def usual(self, loss: float) -> float | None:
        """The usual loss, where this one stands out of it."""
        deviation = math.sqrt(max(0.0, self.square - self.mean**2))
        far = self.steps >= _SETTLED and loss > self.mean + _FAR * max(deviation, 0.01 * abs(self.mean))
        self.high = self.high + 1 if far else 0
        usual = self.mean if self.high == _ROW else None
        rest = 1 / min(self.steps + 1, _SETTLED)
        taken = min(loss, self.mean + _FAR * deviation) if self.steps >= _SETTLED else loss  # or one spike would hide the next
        self.mean += rest * (taken - self.mean)
        self.square += rest * (taken**2 - self.square)
        self.steps += 1
        return usual


@dataclass(slots=True)
class Overfitting:
    """Names overfitting: the held-out loss has turned while the training loss goes on falling.

    losses: of training, between two held-out scores.
    """

    amount: float = 0.0
    weight: float = 0.0
    losses: list[float] = field(default_factory=list)

    def add(self, amount: float, weight: float) -> None:
        """Take note of a step's Σ loss and its tokens."""
        self.amount, self.weight = self.amount + amount, self.weight + weight

    def after_score(self, scores: list[float], stale: int) -> str | None:
        """What there is to say after the last of the held-out ``scores``, ``stale`` of them since the best."""
        self.losses.append(self.amount / max(self.weight, 1.0))
        self.amount = self.weight = 0.0
        if stale != _TURNED or len(self.losses) <= _TURNED:
            return None
        before, now = self.losses[-1 - _TURNED], self.losses[-1]
        if now >= before:
            return None
        return (
            f"overfitting: the held-out loss rose from {min(scores):.4g} to {scores[-1]:.4g} nats a token while that of training "
            f"fell from {before:.4g} to {now:.4g}. The weights of the lowest are kept. More text, dropout, a smaller model or "
            "fewer steps would help."
        )
