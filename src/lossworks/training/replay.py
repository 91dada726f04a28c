"""A finished training once more, from its record: what a batch and a random number are is a function of seed and step, so the
weights pass where they passed, and end in the same bits. On the way, snapshots are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import losses, models
from ..core.errors import DataError
from ..data import Corpus
from ..data.shards import BUDGET
from ..engine import Callbacks, Loop, checkpoint
from .assembling import assemble
from .classifier import loss_for
from .dataset import Dataset
from .describing import fingerprint
from .fitting import memory_named
from .refit import Ended, again, with_validation_rows
from .settings import Settings

MOST = 30
"""Snapshots of a training, at most."""
MEMORY = 1 << 30
"""Bytes that they may take."""


@dataclass(slots=True)
class Snapshot:
    """All weights in a row, as they would be evaluated after ``step`` steps."""

    step: int
    epoch: float
    weights: Tensor


@dataclass(slots=True)
class Replayed:
    """A training that was repeated. ``network`` has the weights that were kept; the parts of ``data`` are still open.

    second: whether it is that of a fit's two trainings, on the validation rows too.
    kept: the epochs after which its weights were kept, its micro-batches, and the scores that its schedule went by.
    """

    data: Dataset
    spec: models.ModelSpec
    network: models.TextModel
    loss: losses.Loss
    settings: Settings
    snapshots: list[Snapshot]
    second: bool
    kept: Ended

    def close(self) -> None:
        """Let go of the data."""
        self.data.close()


def replay(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    record: dict[str, Any],
    callbacks: Callbacks,
    *,
    scratch: Path,
    memory: int = MEMORY,
    budget: int = BUDGET,
    observer: Callable[[Loop, Sequence[int]], Callable[[], None]] | None = None,
) -> Replayed:
    """Train once more as ``record`` says, and ``settings``, its choices: the last training, where a fit has two.

    observer: given the loop and the steps at which its epochs end, makes what is called after each step, in place of snapshots.

    Raises:
        DataError: the corpora are not the rows that the record is of.
        Diverged, Interrupted, OutOfMemory: as in a fit.
    """
    check_rows([corpus.fingerprint for corpus in corpora], record)
    shares = settings.valid, settings.test
    data = assemble(corpora, fixed, settings.task, settings.class_weight, *shares, settings.seed, balance=settings.balance)
    check_rows(fingerprint(data).split("+"), record, whole=True)
    loss, spec = loss_for(settings, data), models.build(settings.spec)  # type: ignore[arg-type]
    result = record["result"]
    whole = None if result["refit_rows"] is None else with_validation_rows(data)
    epochs = result["epochs"] if whole is None else result["best_epoch"]
    ended = Ended(epochs, result["micro_batch"], () if whole is None else tuple(result["scores"]))
    data = whole or data
    with memory_named(settings):
        loop: Loop = again(data, spec, loss, settings, ended, scratch, budget, replace(callbacks, checkpoints=None))
        camera = _Camera(loop, epochs, result["best_epoch"], memory)
        callbacks.watch("again", {"epochs": epochs})
        if observer is None:
            loop.callbacks.stepped = camera
            camera()
        else:
            ends = [int(loop.clock.per_epoch) * epoch for epoch in range(1, epochs + 1)]
            loop.callbacks.stepped = observer(loop, ends)
        loop.run()
    network, kept = loop.objective.network.eval(), Ended(result["best_epoch"], ended.micro_batch, tuple(result["scores"]))
    assert isinstance(network, models.TextModel)
    return Replayed(data, spec, network, loss, settings, camera.taken, whole is not None, kept)


def flat(network: nn.Module) -> Tensor:
    """A copy of all weights in a row, on the processor."""
    return torch.cat([p.detach().reshape(-1).cpu() for p in network.parameters()]).clone()


@contextmanager
def evaluating(loop: Loop) -> Iterator[nn.Module]:
    """Within a training, the network as it would be evaluated after the step just made. To show it early would round otherwise
    than training does, so it is undone.
    """
    network, stepper = loop.objective.network, loop.stepper
    weights, was_training = checkpoint.copied(network), network.training
    state = {name: value.clone() for name, value in stepper.tensors().items()}
    stepper.eval_weights()
    yield network.eval()
    network.train(was_training)
    checkpoint.fill(network, weights)
    stepper.load(state)


def check_rows(found: list[str], record: dict[str, Any], *, whole: bool = False) -> None:
    """The rows must be those of the record; ``whole``: their weights too."""
    wanted = str(record["data"]["fingerprint"]).split("+")
    if found == (wanted if whole else wanted[: len(found)]):
        return
    differ = "weights of the rows" if whole and found[0] == wanted[0] else "rows read"
    raise DataError(
        f"the {differ} are not those that the run was trained on ({record['data']['rows']:,} rows from "
        f"{record['data']['source']}). Give the same data, with the same columns, encoding and --bad-rows."
    )


class _Camera:
    """Takes the snapshots of a loop. Called after each step."""

    def __init__(self, loop: Loop, epochs: int, best: int, memory: int) -> None:
        self.loop, self.per_epoch = loop, int(loop.clock.per_epoch)
        last = self.per_epoch * epochs
        bytes_each = sum(p.numel() * p.element_size() for p in loop.objective.network.parameters())
        room = max(3, min(MOST, memory // max(bytes_each, 1)))
        # Early steps are the longest, so they are looked at more closely.
        spread = {round(last * (number / (room - 2)) ** 2) for number in range(room - 1)}
        self.wanted = spread | {min(self.per_epoch * best, last)}
        self.taken: list[Snapshot] = []

    def __call__(self) -> None:
        step = self.loop.state.step
        if step in self.wanted and not (self.taken and self.taken[-1].step == step):
            with evaluating(self.loop) as network:
                self.taken.append(Snapshot(step, step / self.per_epoch, flat(network)))
