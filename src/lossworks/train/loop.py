"""The loop: epochs of steps, a held-out score after each epoch, early stopping, checkpoints.

The batch of a step is a function of (seed, epoch, step) and random numbers of (seed, step), so a resumed run needs the
weights, the optimiser's state and a few counts, and ends in the same bits as one that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import epoch_order
from ..core.errors import Diverged, Interrupted, RecordError
from ..core.seeds import derive
from ..losses import Loss
from ..models import TextModel
from ..optim import Shell
from ..risks import build as risk_of
from . import checkpoint
from .control import Control, Progress
from .dataset import Dataset, Part
from .objective import example_losses
from .reduction import Reduction
from .settings import Settings
from .validation import MICRO, cut, held_out, in_numpy, metric_of

_TELL_EVERY = 0.2  # seconds between notes on progress

Micro = tuple[int, NDArray[np.int64]]  # a piece, and the rows of it


@dataclass(slots=True)
class Loop:
    """Trains ``network`` on ``data``. ``run`` leaves the best weights in it."""

    data: Dataset
    network: TextModel
    loss: Loss
    shell: Shell
    settings: Settings
    control: Control
    progress: Progress = field(default_factory=Progress)
    reduction: Reduction = field(init=False)
    _best: dict[str, Tensor] = field(default_factory=dict)
    _since: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # loss, weight, rows since the last note
    _told: float = 0.0
    _saved: float = 0.0

    def __post_init__(self) -> None:
        self.reduction = Reduction(risk_of(self.settings.risk), self.data.task)

    def run(self) -> Progress:
        """Train to the end.

        Raises:
            Diverged: a loss was not finite; the weights are those before that step.
            Interrupted: ``control.stop`` was set; a checkpoint was written.
        """
        self._told = self._saved = start = time.monotonic() - self.progress.seconds
        with torch.random.fork_rng(devices=[]), _threads(1 if self.shell.by_rows else torch.get_num_threads()):
            while self.progress.epoch < self._epochs and self.progress.stale < self._patience:
                self._epoch(start)
        if self.progress.stale >= self._patience:
            self.progress.stopped = f"early: {self.metric} had not fallen for {self._patience} epochs"
        if self._best:
            self.network.load_state_dict(self._best)
        if not all(bool(p.isfinite().all()) for p in self.network.parameters()):  # by the last step; none follows to notice
            raise Diverged(f"the weights were not finite after the last step. Try a lower --lr than {self.shell.optimizer.lr:g}.")
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
        found = checkpoint.load_newest(self.control.checkpoints) if self.control.checkpoints else None
        if found is None:
            return
        tensors, state = found
        try:
            self.network.load_state_dict(_under(tensors, "network."))
            self.shell.load(_under(tensors, "shell."))
            self._best = _under(tensors, "best.")
            self.reduction.state = tensors["risk.state"]
            self.progress = Progress(**{**state, "best": math.inf if state["best"] is None else state["best"]})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            folder = self.control.checkpoints
            raise RecordError(f"{folder} does not fit the run ({error}). Remove it to start from the beginning.") from None

    def save(self) -> None:
        """Write a checkpoint now."""
        assert self.control.checkpoints is not None
        named = {"network.": self.network.state_dict(), "shell.": self.shell.tensors(), "best.": self._best}
        tensors = {prefix + name: value for prefix, part in named.items() for name, value in part.items()}
        tensors["risk.state"] = self.reduction.state
        state = asdict(self.progress)
        checkpoint.save(self.control.checkpoints, self.progress.step, tensors, {**state, "best": _finite(state["best"])})
        self._saved = time.monotonic()
        self._tell("checkpoint")

    def _epoch(self, start: float) -> None:
        progress = self.progress
        self.network.train()
        for number, micros in enumerate(self._steps(progress.epoch)):
            if number < progress.done:
                continue
            self._between_steps()  # before a step: an epoch's validation is then behind its last step's checkpoint
            self._step(micros)
            progress.done, progress.step = number + 1, progress.step + 1
            progress.seconds = time.monotonic() - start
            self.control.stepped()
        self._tell_train()
        progress.epoch, progress.done = progress.epoch + 1, 0
        self.shell.settle()
        if self.data.valid is not None and self.data.valid.rows:
            self._validate(self.data.valid)

    def _steps(self, epoch: int) -> Iterator[list[Micro]]:
        """The steps of an epoch, each as its micro-batches; nothing is loaded yet."""
        store = self._train.shards
        pieces = epoch_order(self.settings.seed, epoch, store.pieces, "pieces").tolist()
        orders = ((piece, epoch_order(self.settings.seed, epoch, store.count(piece), "rows", piece)) for piece in pieces)
        if self.shell.optimizer.full_batch:
            yield [(piece, part) for piece, order in orders for part in cut(order, MICRO)]
            return
        for piece, order in orders:
            for batch in cut(order, self._batch_size):
                yield [(piece, part) for part in cut(batch, MICRO)]

    def _step(self, micros: list[Micro]) -> None:
        """One update: the gradient of the risk of all its rows."""
        progress, data = self.progress, self.data
        _seed(self.settings.device, derive(self.settings.seed, "step", progress.step))
        loaded = self._train.shards
        total = sum(float(data.loss_weight[loaded.rows(piece)[chosen]].sum(dtype=np.float64)) for piece, chosen in micros)
        if total == 0:
            return
        for piece, chosen in micros:
            rows, selected = self._train.piece(piece)
            batch = data.batch(selected, rows, chosen)
            self.shell.prepare(batch)
            outputs = self.network(batch)
            target = batch.target.to(outputs.device)
            values = example_losses(data.task, self.loss, outputs, target)
            amount = self.reduction.add(values, batch.weight.to(values), target, total)
            if not math.isfinite(amount):
                self._diverged(values, rows[chosen])
            self._since[0] += amount
            self._since[2] += len(chosen)
        self.reduction.finish()
        self._since[1] += total
        self.shell.step()

    def _between_steps(self) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY:
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
        if score < progress.best:
            progress.best, progress.best_epoch, progress.stale = score, progress.epoch, 0
            self._best = {name: value.clone() for name, value in self.network.state_dict().items()}
        self._tell("valid", **{name: value for name, value in figures.items() if math.isfinite(value)})

    def _diverged(self, values: Tensor, numbers: NDArray[np.int64]) -> None:
        bad = numbers[~np.isfinite(in_numpy(values))]
        where = self.data.place(int(bad[0] if len(bad) else numbers[0]))
        raise Diverged(
            f"the loss was not finite at step {self.progress.step + 1:,} (epoch {self.progress.epoch + 1}, "
            f"batch {self.progress.done + 1}, first at {where}). The weights were not updated with it. "
            f"Try a lower --lr than {self.shell.optimizer.lr:g}."
        )

    def _tell_train(self) -> None:
        now = time.monotonic()
        loss, weight, rows = self._since
        if weight:
            self._tell(
                "train",
                loss=loss / weight,
                examples_per_second=rows / max(now - self._told, 1e-9),
                lr=self.shell.optimizer.lr,
            )
        self._since, self._told = [0.0, 0.0, 0.0], now

    def _tell(self, event: str, **fields: float) -> None:
        progress = self.progress
        epoch = progress.epoch + progress.done / max(self._length, 1)
        self.control.watch(event, {"step": progress.step, "epoch": round(epoch, 4), **fields})

    @property
    def _length(self) -> int:
        rows = self._train.rows
        return 1 if self.shell.optimizer.full_batch else math.ceil(rows / self._batch_size)

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
        return self.settings.batch_size or 1


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """PyTorch's threads for a while. Where our own kernels do the work, its waiting threads only get in their way."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seed(device: str, seed: int) -> None:
    """Seed the one generator that is used; ``torch.manual_seed`` seeds all there are and costs more than a small step."""
    if device.startswith("cuda"):
        torch.cuda.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
