"""An encoder trained so that texts of one class are near to one another, before a layer is fitted to its states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import optim, risks, schedules
from ..core.errors import UsageError
from ..core.seeds import derive
from ..data import TRAIN, Batch, Features
from ..engine import Callbacks, Loop, Losses
from ..engine.distributed import World
from ..engine.reduction import Reduction
from ..losses import EmbeddingLoss, losses
from ..models.hf.contrastive import ContrastedStates, MeanStates
from ..schedules import Clock
from .assembling import read_features
from .dataset import LEFT_OUT, Dataset
from .drawing import Rows
from .examples import ExampleObjective

_ROWS, _TOKENS = 64, 16_384  # of a step, at most: a row is compared with all others of its step
_SCHEDULE, _CLIP = "linear:warmup=10%", 1.0


@dataclass
class Contrast(ExampleObjective):
    """A network of states, by a loss that compares the rows of a step: a micro-batch is a whole step, and nothing is held out."""

    def micro_batches(self, rows: Rows, epoch: int, size: int) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        return ExampleObjective.micro_batches(self, rows, epoch, self.largest(rows))

    def smallest(self, rows: Rows) -> int:
        return self.largest(rows)

    def losses(self, batch: tuple[Batch, NDArray[np.int64]]) -> Losses:
        assert isinstance(self.loss, EmbeddingLoss)
        states = self.network(batch[0])
        values = self.loss.contrasts(states, states, batch[0].target.to(states.device))
        return Losses(values, batch[0].weight.to(values))

    def held_out(self, world: World) -> dict[str, float] | None:
        return None


def contrast(data: Dataset, features: Features, folder: Path, seed: int, budget: int, callbacks: Callbacks) -> None:
    """Train the encoder of ``features``, which are prepared, on the training rows with labels; arguments as of ``read_features``.

    Raises:
        UsageError: the labels are no classes, or there are none.
        Interrupted: ``callbacks.stop`` was set. Diverged: a loss was not finite.
    """
    assert isinstance(features, ContrastedStates)
    if not data.task.groups:
        raise UsageError(f"hf:PATH,contrastive compares classes; the task {data.task.kind} has none. Leave contrastive out.")
    labelled = (data.parts == TRAIN) & (True if data.given is None else data.given)
    if not labelled.any():
        raise UsageError("hf:PATH,contrastive compares classes, and no training row has a label. Leave contrastive out.")
    spec = features.spec
    own = replace(data, parts=np.where(labelled, np.uint8(TRAIN), np.uint8(LEFT_OUT)), balance=None)
    read_features(own, features.tokens, folder, seed, budget, Callbacks(), known=True)
    assert own.train is not None
    rows, longest = own.train.rows, max(int(selected.lengths.max()) for _, selected in own.train.pieces())
    most = max(2, min(_ROWS, _TOKENS // longest))
    size = -(-rows // -(-rows // most))  # the last step of an epoch has no fewer rows to compare than the others
    network = MeanStates(features.encoder)
    stepper = optim.Stepper(optim.build(f"adamw:lr={spec.lr!r}"), network, clip=_CLIP)
    loss = losses.build(f"supervised_contrastive:temperature={spec.temperature!r}")
    objective = Contrast(own, network, loss, size, derive(seed, "contrast"))

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "train":  # its steps are none of the run's
            callbacks.watch("contrast", fields)

    Loop(
        objective,
        stepper,
        Reduction(risks.build("mean")),
        size,
        schedule=schedules.build(_SCHEDULE),
        clock=Clock(max(spec.steps, objective.per_epoch), objective.per_epoch),
        callbacks=Callbacks(watch=watch, stop=callbacks.stop, clock=callbacks.clock),
        patience=1,
    ).run()
    own.train.shards.close()
    network.requires_grad_(False)
