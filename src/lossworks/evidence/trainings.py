"""What a training of an arm is, whatever it trains: by a loop; several as one, each for its language; one that learns nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import Diverged
from ..engine import Loop, TrainState

Where = Mapping[int, Mapping[str, NDArray[np.int64]]]
"""Of each part the places of each language's answers."""


class Training(ABC):
    """One training of an arm, not begun; it ends with its schedule, and the weights are those it ends with.

    steps: of a whole training. scores: of the validation part on the way. size: examples or tokens seen in training.
    """

    steps: int
    scores: int
    size: int

    @abstractmethod
    def run(self) -> TrainState:
        """Train to the end, or to where ``stop_after`` says."""

    @abstractmethod
    def stop_after(self, step: int) -> None:
        """End early, with the score that follows."""

    @abstractmethod
    def answers(self) -> list[NDArray[Any]]:
        """What it says at its end of each part that it was made to answer for: the scores of every row, or the log-probability
        of every token.
        """


class Constant(Training):
    """Answers that nothing is trained for."""

    steps = scores = size = 0

    def __init__(self, said: list[NDArray[Any]]) -> None:
        self.said = said

    def run(self) -> TrainState:
        return TrainState()

    def stop_after(self, step: int) -> None:
        """It has no steps."""

    def answers(self) -> list[NDArray[Any]]:
        return self.said


class Looped(Training):
    """One by the engine's loop."""

    loop: Loop

    def run(self) -> TrainState:
        return self.loop.run()

    def stop_after(self, step: int) -> None:
        self.loop.last_step = step


class Apart(Training):
    """One training for each language, one after the other; each language's answers are its own training's.

    where: for which part each language has answers to give. made: the training of a language, to answer for some parts. No two
    are held in memory at once.
    """

    scores = 0  # each training has a length of its own, so none of the whole is scored on the way

    def __init__(self, where: Where, made: Callable[[str, Sequence[int]], Training]) -> None:
        self.where, self.made, self.size = where, made, 0
        self.languages = sorted({language for of in where.values() for language in of})
        self._said: dict[int, NDArray[Any]] = {}
        self._running: Training | None = None
        self._state, self._is_over = TrainState(), False

    @property
    def steps(self) -> int:  # type: ignore[override]
        """Those of all."""
        return sum(self._of(language).steps for language in self.languages)

    def run(self) -> TrainState:
        for language in self.languages:
            self._running = one = self._of(language)
            try:
                ended = one.run()
            except Diverged as error:
                raise Diverged(f"{language}: {error}") from error
            self._state.step, self._state.seconds = self._state.step + ended.step, self._state.seconds + ended.seconds
            self.size += one.size
            for part, said in zip(self._parts(language), one.answers(), strict=True):
                places = self.where[part]
                if part not in self._said:
                    self._said[part] = np.zeros((sum(map(len, places.values())), *said.shape[1:]))
                self._said[part][places[language]] = said
            if self._is_over and len(self._said) == len(self.where):  # there is something to answer for every part
                break
        return self._state

    def stop_after(self, step: int) -> None:
        assert self._running is not None
        self._running.stop_after(step - self._state.step)
        self._is_over = True

    def answers(self) -> list[NDArray[Any]]:
        return [self._said[part] for part in self.where]

    def _of(self, language: str) -> Training:
        return self.made(language, self._parts(language))

    def _parts(self, language: str) -> list[int]:
        return [part for part, of in self.where.items() if language in of]
