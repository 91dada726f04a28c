"""The loop: epochs of steps, a held-out score after each epoch, early stopping, checkpoints.

The batch of a step is a function of (seed, epoch, step) and random numbers of (seed, step), so a resumed run needs the
weights, the optimiser's state and a few counts, and ends in the same bits as one that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import Diverged, Interrupted
from ..data import SparseEmbedding, epoch_order
from ..engine import checkpoint
from ..engine.callbacks import Callbacks, TrainState
from ..engine.denormals import flushed
from ..engine.monitors import Since, Spikes
from ..engine.reduction import Reduction
from ..losses import Loss
from ..models import TextModel
from ..optim import Stepper
from ..risks import build as risk_of
from ..schedules import Clock, Schedule
from ..schedules import build as schedule_of
from .dataset import Dataset, Part
from .gradients import Gradients, Made, Rows
from .settings import AUTO, Settings
from .step_timing import torch_threads
from .validation import cut, held_out, metric_of

_TELL_EVERY = 0.2  # seconds between notes on progress


@dataclass(slots=True)
class Loop:
    """Trains ``network`` on ``data``. ``run`` leaves the best weights in it, those to evaluate with.

    keeps_best: whether those are of the best epoch, or of the last.
    ends_after: epochs after which training ends, sooner than the settings and the schedule plan for.
    most_steps: steps after which it ends, which is what the schedule then plans for.
    """

    data: Dataset
    network: TextModel
    loss: Loss
    stepper: Stepper
    settings: Settings
    control: Callbacks
    ends_after: int | None = None
    most_steps: int | None = None
    keeps_best: bool = True
    progress: TrainState = field(default_factory=TrainState)
    gradients: Gradients = field(init=False)
    length: int = field(init=False)  # steps of an epoch
    _schedule: Schedule = field(init=False)
    _clock: Clock = field(init=False)
    _best: dict[str, Tensor] = field(default_factory=dict)
    _since: Since = field(default_factory=Since)
    _spikes: Spikes = field(default_factory=Spikes)
    _saved: float = 0.0

    def __post_init__(self) -> None:
        assert self.data.train is not None
        reduction = Reduction(risk_of(self.settings.risk), self.data.task)
        micro = self.settings.micro_batch if isinstance(self.settings.micro_batch, int) else self._batch_size
        parts = (self.data, self.data.train, self.network, self.loss, self.stepper, reduction, self.settings)
        self.gradients = Gradients(*parts, micro)
        self._schedule = schedule_of(self.settings.schedule)
        store, full = self.data.train.shards, self.stepper.optimizer.full_batch
        self.length = 1 if full else sum(math.ceil(store.count(piece) / self._batch_size) for piece in range(store.pieces))
        steps = self._epochs * self.length
        self._clock = Clock(min(steps, self.most_steps or steps), self.length)

    def run(self) -> TrainState:
        """Train to the end.

        Raises:
            Diverged: a loss was not finite; the weights are those before that step.
            Interrupted: ``control.stop`` was set; a checkpoint was written.
        """
        self._saved = start = time.monotonic() - self.progress.seconds
        self._since = Since(clipped=self.stepper.clipped)
        many = 1 if self._is_all_ours else torch.get_num_threads()
        with torch.random.fork_rng(devices=[]), torch_threads(many), flushed():
            self._fit_memory()
            while not self._is_over:
                self._epoch(start)
        if self.progress.stale >= self._patience:
            self.progress.stopped = f"early: {self.metric} had not fallen for {self._patience} epochs"
        if self._best and self.keeps_best:
            checkpoint.fill(self.network, self._best)
        if not all(bool(p.isfinite().all()) for p in self.network.parameters()):  # by the last step; none follows to notice
            raise Diverged(
                f"the weights were not finite after the last step. Try a lower --lr than {self.stepper.optimizer.lr:g}."
            )
        self.progress.seconds = time.monotonic() - start
        return self.progress

    @property
    def metric(self) -> str:
        """The name of the proper score that epochs are judged by."""
        return metric_of(self.data.task)

    def resume(self) -> None:
        """Take up the newest checkpoint, if there is one.

        Raises:
            RecordError: it is damaged, or of another run.
        """
        checkpoint.take_up(self.control.checkpoints, self._take_up)

    def save(self) -> None:
        """Write a checkpoint now."""
        assert self.control.checkpoints is not None
        named = {"network.": checkpoint.weights_of(self.network), "stepper.": self.stepper.tensors(), "best.": self._best}
        tensors = {prefix + name: value for prefix, part in named.items() for name, value in part.items()}
        tensors["risk.state"] = self.gradients.reduction.state
        checkpoint.save(self.control.checkpoints, self.progress.step, tensors, checkpoint.state(self.progress))
        self._saved = time.monotonic()
        self._tell("checkpoint")

    def _take_up(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        checkpoint.fill(self.network, checkpoint.under(tensors, "network."))
        self.stepper.load(checkpoint.under(tensors, "stepper."))
        self._best = checkpoint.under(tensors, "best.")
        self.gradients.reduction.state = tensors["risk.state"]
        self.progress = checkpoint.progress(state)
        self.gradients.micro = self.progress.micro or self.gradients.micro

    def _epoch(self, start: float) -> None:
        progress = self.progress
        self.network.train()
        for number, rows in enumerate(self._steps(progress.epoch)):
            if number < progress.done:
                continue
            if self._is_enough:
                break
            self._between_steps()  # before a step: an epoch's validation is then behind its last step's checkpoint
            self._step(rows)
            progress.done, progress.step = number + 1, progress.step + 1
            progress.seconds = time.monotonic() - start
            self.control.stepped()
        self._tell_train()
        progress.epoch, progress.done = progress.epoch + 1, 0
        self.stepper.eval_weights()
        if self.data.valid is not None and self.data.valid.rows:
            self._validate(self.data.valid)

    def _steps(self, epoch: int) -> Iterator[list[Rows]]:
        """The steps of an epoch, each as the rows of pieces; nothing is loaded yet."""
        store = self._train.shards
        pieces = epoch_order(self.settings.seed, epoch, store.pieces, "pieces").tolist()
        orders = ((piece, epoch_order(self.settings.seed, epoch, store.count(piece), "rows", piece)) for piece in pieces)
        if self.stepper.optimizer.full_batch:
            yield list(orders)
            return
        for piece, order in orders:
            for batch in cut(order, self._batch_size):
                yield [(piece, batch)]

    def _step(self, rows: list[Rows]) -> None:
        """One update: the gradient of the risk of all its rows."""
        progress, data, stepper, gradients = self.progress, self.data, self.stepper, self.gradients
        loaded = self._train.shards
        total = sum(float(data.loss_weight[loaded.rows(piece)[chosen]].sum(dtype=np.float64)) for piece, chosen in rows)
        if total == 0:
            return
        if stepper.wants_curvature:
            gradients.curvature(rows, progress.step)
        micro, remembered, found = gradients.micro, gradients.reduction.state, list[Made]()

        def make() -> float:
            """The risk at the weights as they stand; what is random, and what a risk remembers, is the same at each."""
            if found:
                gradients.forget()
                gradients.reduction.state = remembered
            found.append(gradients.make(rows, total, progress.step))
            self._check(found[0])  # before anything is updated; later ones are trials, which may be beyond all numbers
            return found[-1].risk

        if not stepper.optimizer.needs_closure:
            make()
        began = time.monotonic()
        closure = make if stepper.optimizer.needs_closure else None
        health = stepper.step(self._factor(), closure, examine=self._since.is_due)
        amount = found[0].amount
        self._since.add(amount, total, sum(len(chosen) for _, chosen in rows), health, time.monotonic() - began)
        if gradients.micro < micro:
            progress.micro = gradients.micro
            self._tell("memory", micro_batch=gradients.micro, was=micro)
        usual = self._spikes.usual(amount / total)
        if usual is not None:
            self._tell("spike", loss=amount / total, usual=usual)

    def _factor(self) -> float:
        return self._schedule.factor(self.progress.step, self._clock, self.progress.scores[: self.progress.epoch])

    def _fit_memory(self) -> None:
        if self.settings.micro_batch == AUTO and not self.progress.micro:
            self.gradients.fit_memory()
            self.progress.micro = self.gradients.micro
            self._tell("memory", micro_batch=self.gradients.micro)

    def _between_steps(self) -> None:
        now = time.monotonic()
        if now - self._since.told >= _TELL_EVERY:
            self._tell_train()
        due = now - self._saved >= self.control.checkpoint_every or self.control.stop.is_set()
        if due and self.control.checkpoints is not None:
            self.save()
        if self.control.stop.is_set():
            raise Interrupted(f"stopped after step {self.progress.step:,}. The same command with --resume goes on from there.")

    def _validate(self, part: Part) -> None:
        """Score the held-out rows; keep the weights if they are the best so far."""
        figures, progress = held_out(self.data, self.network, self.loss, part), self.progress
        score = figures[self.metric]
        if not math.isfinite(score):
            raise Diverged(f"the held-out {self.metric} after epoch {progress.epoch} is {score}. Try a lower --lr.")
        progress.stale += 1
        progress.scores.append(score)
        if score < progress.best:
            progress.best, progress.best_epoch, progress.stale = score, progress.epoch, 0
            self._best = checkpoint.copied(self.network)
        self._tell("valid", **{name: value for name, value in figures.items() if math.isfinite(value)})

    def _check(self, made: Made) -> None:
        """Raise Diverged where the loss of a step's rows was not finite."""
        if made.bad is None:
            return
        raise Diverged(
            f"the loss was not finite at step {self.progress.step + 1:,} (epoch {self.progress.epoch + 1}, "
            f"batch {self.progress.done + 1}, first at {self.data.place(made.bad)}). The weights were not updated with it. "
            f"Try a lower --lr than {self.stepper.optimizer.lr:g}."
        )

    def _tell_train(self) -> None:
        if self._since.weight:
            self._tell("train", **self._since.fields(self.stepper.lr, self.stepper.clipped))
        self._since = self._since.next(self.stepper.clipped)

    def _tell(self, event: str, **fields: Any) -> None:
        progress = self.progress
        epoch = progress.epoch + progress.done / max(self.length, 1)
        self.control.watch(event, {"step": progress.step, "epoch": round(epoch, 4), **fields})

    @property
    def _is_all_ours(self) -> bool:
        """Whether kernels of ours do the work: the first layer is a table, and steps go by its rows."""
        return self.stepper.by_rows and any(isinstance(module, SparseEmbedding) for module in self.network.modules())

    @property
    def _is_over(self) -> bool:
        progress = self.progress
        ended = progress.epoch >= (self.ends_after or self._epochs) or progress.stale >= self._patience
        return ended or self._is_enough

    @property
    def _is_enough(self) -> bool:
        return self.most_steps is not None and self.progress.step >= self.most_steps

    @property
    def _train(self) -> Part:
        assert self.data.train is not None
        return self.data.train

    @property
    def _epochs(self) -> int:
        return self.settings.epochs or 1

    @property
    def _patience(self) -> int:
        return self.settings.patience or 1

    @property
    def _batch_size(self) -> int:
        assert isinstance(self.settings.batch_size, int)
        return self.settings.batch_size
