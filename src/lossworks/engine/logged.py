"""A training as its log tells of it: where it stands, what its steps were like since the last line, loss spikes."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..optim.leaping import Leaping
from ..schedules import Clock
from .callbacks import Callbacks
from .contracts import Judged, Rows
from .monitors import LogWindow, Overfitting, Spikes
from .state import TrainState

if TYPE_CHECKING:
    from ..optim import Health

_LOG_EVERY = 0.2  # seconds between lines of the log


@dataclass(slots=True, kw_only=True)
class Logged(ABC):
    """What stands of a training at each moment, and the lines that are told of it."""

    clock: Clock
    callbacks: Callbacks
    overfitting: Overfitting | None = None
    state: TrainState = field(default_factory=TrainState)
    _window: LogWindow = field(init=False)
    _spikes: Spikes = field(default_factory=Spikes)

    if TYPE_CHECKING:  # fields of those that extend it
        objective: Judged
        stepper: Leaping

    def __post_init__(self) -> None:
        self._window = LogWindow(self.callbacks.clock(), clipped=self.stepper.clipped)

    def log(self, event: str, **fields: Any) -> None:
        """Tell whoever watches of an event, and where training stands."""
        self.callbacks.watch(event, {"step": self.state.step, "epoch": round(self._passes, 4), **fields})

    def _note(self, rows: Rows, amount: float, weight: float, health: Health | None, now: float, seconds: float) -> None:
        """Take note of a step that was taken, of Σ weight · loss = ``amount``; ``seconds`` that it took until ``now``."""
        self._window.add(amount, weight, self.objective.size(rows), health, now, seconds)
        if self.overfitting is not None:
            self.overfitting.add(amount, weight)
        usual = self._spikes.usual(amount / weight)
        if usual is not None:
            self.log("spike", loss=amount / weight, usual=usual)
        self._count()

    def _count(self) -> None:
        self.state.done, self.state.step = self.state.done + 1, self.state.step + 1

    def _log_if_due(self) -> None:
        if self.callbacks.clock() - self._window.since >= _LOG_EVERY:
            self._log_train()

    def _log_train(self) -> None:
        now = self.callbacks.clock()
        if self._window.weight:
            unit = self.objective.unit
            line = self._window.fields(now, self.stepper.lr, self.stepper.clipped, f"{unit}_per_second")
            self.log("train", **line, of=self.clock.steps)
        self._window = self._window.next(now, self.stepper.clipped)

    @property
    def _passes(self) -> float:
        return self.state.epoch + self.state.done / max(self.clock.per_epoch, 1)
