"""One training of a model of language, by gradients or counted, as a comparison begins, times and ends it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..engine import Callbacks
from ..engine.callbacks import TrainState
from ..models import LanguageModel
from ..training.sequences import SequenceLoop


@dataclass(slots=True)
class ByGradients:
    """A loop over tokens that keeps the weights it ends with."""

    loop: SequenceLoop

    def run(self) -> TrainState:
        """Train to the end of the schedule, or of ``most_steps``."""
        return self.loop.run()

    @property
    def model(self) -> LanguageModel:
        """The model as it stands."""
        return self.loop.network.model()

    @property
    def lasts(self) -> tuple[int, int]:
        """Steps in all, and scores of the validation part on the way."""
        steps = self.loop.clock.steps
        return steps, math.ceil(steps / (self.loop.every or steps))

    @property
    def tokens(self) -> int:
        """Tokens seen in training."""
        layout = self.loop.gradients.layout
        return round(self.loop.clock.steps / self.loop.clock.per_epoch * float(layout.lengths.sum()))

    @property
    def most_steps(self) -> int | None:
        """Steps after which it ends early."""
        return self.loop.most_steps

    @most_steps.setter
    def most_steps(self, steps: int) -> None:
        self.loop.most_steps = steps


@dataclass(slots=True)
class Counted:
    """A family that learns by a method of its own, in one step, from so many ``tokens``."""

    learn: Callable[[], LanguageModel]
    tokens: int
    control: Callbacks
    most_steps: int | None = None
    lasts: tuple[int, int] = 1, 0
    _model: LanguageModel | None = None

    def run(self) -> TrainState:
        """Learn."""
        began = time.monotonic()
        self._model = self.learn()
        self.control.stepped()
        return TrainState(step=1, seconds=time.monotonic() - began)

    @property
    def model(self) -> LanguageModel:
        """The model, once it has run."""
        assert self._model is not None
        return self._model
