"""The course that every training takes: epochs of steps, held-out scores, early stopping, lines of the log, times to save.

The rows of a step are a function of (seed, epoch, step) and random numbers of (seed, step), so a resumed run needs the weights,
the optimizer's state and a few counts, and ends in the same bits as one that was never stopped.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import Diverged, Interrupted
from ..metrics import RISING, missed
from ..schedules import Schedule
from .contracts import Rows, Stretch
from .logged import Logged
from .state import TrainState

_STRETCH, _MOST = 0.05, 1024  # seconds that steps taken at once should take, and how many they are at most


@dataclass(slots=True, kw_only=True)
class Course(Logged):
    """Trains; ``run`` leaves the best weights, those to evaluate with.

    patience: held-out scores without a better one before training stops.
    eval_every: steps between held-out scores; None: one after each epoch.
    seconds: that training should take; after each score the steps left are planned again by how long those so far took.
    most: steps then, in all; None: as many as the seconds allow.
    last_epoch, last_step: where training ends sooner than the clock, which the schedule goes by, says.
    followed: held-out scores of a training before, one an epoch, for a schedule to go by; None: by this one's own.
    keeps_best: whether the weights are those of the best score, or of the last step.
    """

    schedule: Schedule
    patience: int
    eval_every: int | None = None
    seconds: float | None = None
    most: int | None = None
    last_epoch: int | None = None
    last_step: int | None = None
    followed: tuple[float, ...] | None = None
    keeps_best: bool = True
    _stretch: Stretch | None = None
    _at_once: int = 1  # steps that are taken in one go
    _saved: float = 0.0

    def run(self) -> TrainState:
        """Train to the end.

        Raises:
            Diverged: a loss or a gradient was not finite; the weights are those before that step.
            Interrupted: ``callbacks.stop`` was set; a checkpoint was written.
            OutOfMemory: a single row does not fit into memory.
        """
        state = self.state
        self._saved = start = self.callbacks.clock() - state.seconds
        with self._working():
            while not self._is_over:
                self._epoch(start)
        if state.stale >= self.patience:
            after = "epochs" if self.eval_every is None else "scores"
            moved = "risen" if self.objective.metric in RISING else "fallen"
            state.stopped = f"early: {self.objective.metric} had not {moved} for {self.patience} {after}"
        self.stepper.eval_weights()
        if self.callbacks.ended is not None:
            self.callbacks.ended(self.stepper)
        if not self._end():  # by the last step; none follows to notice
            raise Diverged(f"the weights were not finite after the last step. {self._remedy}")
        state.seconds, state.passes = self.callbacks.clock() - start, self._passes
        return state

    @abstractmethod
    def resume(self) -> None:
        """Go on from the newest checkpoint, if there is one.

        Raises:
            RecordError: it is damaged, or of another run.
        """

    @abstractmethod
    def save(self) -> None:
        """Write a checkpoint now."""

    @property
    @abstractmethod
    def trained(self) -> Any:
        """The weights as they stand, as a predictor takes them."""

    @property
    @abstractmethod
    def micro_batch(self) -> int:
        """The examples or tokens whose outputs stood in memory at once."""

    @abstractmethod
    def _working(self) -> AbstractContextManager[None]:
        """What is set up while it trains."""

    @abstractmethod
    def _to_training(self, *, fresh: bool) -> None:
        """The weights are to be trained; ``fresh``: an epoch begins."""

    @abstractmethod
    def _step(self, rows: Rows) -> int:
        """One update, where the stretch takes none; returns 1."""

    @abstractmethod
    def _keep(self) -> None:
        """Remember the weights, which are the best so far."""

    @abstractmethod
    def _end(self) -> bool:
        """Bring the best weights back; whether all are finite."""

    @property
    def _wished(self) -> tuple[bool, bool]:
        """Whether to stop, and to save."""
        return self.callbacks.stop.is_set(), self._is_due

    def _settle(self) -> None:  # most write at once
        """Wait until the latest checkpoint is on the disk."""

    def _plan_again(self) -> None:  # most are told in epochs
        """After a score: plan the steps that are left, where the time decides."""

    @property
    def last(self) -> int:
        """The step that training ends after, at the latest."""
        return min(self.clock.steps, self.last_step or self.clock.steps)

    def _epoch(self, start: float) -> None:
        state = self.state
        self._to_training(fresh=not state.done)
        steps = islice(self.objective.steps(state.epoch), state.done, None)
        while some := list(islice(steps, self._next)):
            if self._is_over:
                break
            self._between_steps()  # before a step: the score after the last one is then behind its checkpoint
            while some:
                taken = self._leap(some) or self._step(some[0])
                some = some[taken:]
            state.seconds = self.callbacks.clock() - start
            if self.callbacks.stepped is not None:
                self.callbacks.stepped()
            if self.eval_every and (state.step % self.eval_every == 0 or state.step == self.last):
                self._evaluate()
                self._to_training(fresh=False)
        else:
            state.epoch, state.done = state.epoch + 1, 0
        self._log_train()
        if not self.eval_every:
            if state.done:  # ended within an epoch
                state.epoch, state.done = state.epoch + 1, 0
            self._evaluate()

    @property
    def _next(self) -> int:
        """How many steps to take before anything else is looked at: no more than are left until training ends, or is scored."""
        if self._stretch is None or self.callbacks.stepped is not None:
            return 1
        left = self.last - self.state.step
        if self.eval_every:
            left = min(left, self.eval_every - self.state.step % self.eval_every)
        return max(1, min(self._at_once, left))

    def _leap(self, steps: list[Rows]) -> int:
        """Take as many of the steps as can be taken at once; says how many."""
        if self._stretch is None:
            return 0
        began, told = self.callbacks.clock(), np.empty((2, 0))
        if examine := self._window.is_due(began):
            steps = steps[:1]

        def take(rates: NDArray[np.float64]) -> int:
            nonlocal told
            assert self._stretch is not None
            told = np.array(self._stretch(steps, rates))
            return told.shape[1]

        health = self.stepper.leap(take, [self._factor(ahead) for ahead in range(len(steps))], examine=examine)
        now, each = self.callbacks.clock(), told.T.tolist()
        seconds = (now - began) / max(1, len(each))
        for rows, (amount, weight) in zip(steps, each, strict=False):
            self._note(rows, amount, weight, health, now, seconds)
        if not examine and len(each) == len(steps):  # looking takes longer than the step
            self._at_once = int(max(1, min(_MOST, 2 * len(steps), _STRETCH / max(seconds, 1e-9))))
        return len(each)

    def _factor(self, ahead: int = 0) -> float:
        """What the schedule multiplies the learning rate with at the next step, or some ``ahead`` of it."""
        scores = self.state.scores if self.followed is None else self.followed[: self.state.epoch]
        return self.schedule.factor(self.state.step + ahead, self.clock, scores)

    def _evaluate(self) -> None:
        """Score the validation part; keep the weights if they are the best so far; say where the score has turned."""
        state, metric = self.state, self.objective.metric
        self.stepper.eval_weights()
        scores = self.objective.held_out(self.callbacks.world)
        if scores is None:
            return
        score = missed(metric, scores[metric])
        if not math.isfinite(score):
            raise Diverged(f"the held-out {metric} after step {state.step:,} is {scores[metric]}. {self._remedy}")
        state.stale += 1
        state.scores.append(score)
        if score < state.best:
            state.best, state.best_epoch, state.stale = score, state.epoch, 0
            if self.keeps_best:
                self._keep()
        self.log("valid", **{name: value for name, value in scores.items() if math.isfinite(value)})
        turned = self.overfitting.after_score(state.scores, state.stale) if self.overfitting is not None else None
        if turned is not None:
            self.callbacks.watch("note", {"text": turned})
        self._plan_again()

    def _between_steps(self) -> None:
        self._log_if_due()
        stop, due = self._wished
        if (due or stop) and self.callbacks.checkpoints is not None:
            self.save()
        if stop:
            self._settle()
            raise Interrupted(f"stopped after step {self.state.step:,}.")

    @property
    def _remedy(self) -> str:
        return f"Try a lower --lr than {self.stepper.optimizer.lr:g}."

    @property
    def _is_due(self) -> bool:
        return self.callbacks.clock() - self._saved >= self.callbacks.checkpoint_every

    @property
    def _is_over(self) -> bool:
        state = self.state
        ended = self.last_epoch is not None and state.epoch >= self.last_epoch
        return ended or state.step >= self.last or state.stale >= self.patience
