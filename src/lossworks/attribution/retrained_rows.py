"""A linear model trained many times side by side, each time without one row: exactly what the row did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import Batch, Selected
from ..engine import Callbacks, Loop, Losses
from ..engine.distributed import World
from ..optim import Stepper
from ..training.drawing import Rows
from ..training.examples import ExampleObjective, in_numpy
from ..training.refit import training
from ..training.replay import MEMORY, Replayed

_BYTES = 12  # of a weight, of what AdaGrad keeps of it, and of its gradient
_MOST = 128  # copies at once


@dataclass
class Copies(ExampleObjective):
    """Networks in one, with as many times the outputs. left: the row of the data that each does without [K]; it weighs 0 there.

    They share no weight, so an optimizer that works on each weight by itself trains each as if it were alone.
    """

    left: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _scale: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def weight(self, rows: Rows) -> float:
        """Of all of a step's rows; a copy's mean is over one less where its row is among them."""
        total = super().weight(rows)
        here = np.concatenate([self._train.shards.rows(piece)[chosen] for piece, chosen in rows])
        rest = total - np.where(np.isin(self.left, here), self.data.loss_weight[self.left], 0.0)
        self._scale = np.where(rest > 1e-9 * total, total / np.maximum(rest, 1e-9 * total), 0.0)
        return total

    def losses(self, batch: tuple[Batch, NDArray[np.int64]]) -> Losses:
        given, rows = batch
        copies = len(self.left)
        outputs = self.network(given).reshape(len(rows) * copies, -1)
        target = given.target.to(outputs.device).repeat_interleave(copies, 0)
        values = self.data.task.losses(self.loss, outputs, target)
        weight = given.weight.numpy()[:, None] * np.where(rows[:, None] == self.left, 0.0, self._scale)
        return Losses(values, torch.from_numpy(weight.reshape(-1)).to(values))

    def stretch(self, stepper: Stepper) -> None:
        return None  # its losses are not the task's

    def held_out(self, world: World) -> dict[str, float] | None:
        return None  # it is known when to stop


def outputs_without(
    done: Replayed, rows: NDArray[np.int64], texts: Selected, tell: Callable[[int, int], None] = lambda done, of: None
) -> NDArray[np.float64]:
    """What the model says of each text, had it been trained without the row: the same steps, in which the row weighs 0.

    A step that has no other row changes nothing. Features, epochs and the loss's own settings stay as they are.

    Args:
        done: the training of a linear model on the mean loss, by an optimizer that works on each weight by itself, not clipped.
        rows: numbers of training rows in the data [K].
        texts: as the model reads them.
        tell: told how many steps are done, of how many.

    Returns: [K, texts, outputs].
    """
    assert done.data.features is not None
    task = done.data.task
    size = max(1, min(_MOST, MEMORY // (_BYTES * len(done.data.features) * task.outputs)))
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    found = np.empty((len(rows), len(texts), task.outputs))
    for number, block in enumerate(blocks):
        loop = _loop(done, block)
        steps = int(loop.clock.per_epoch) * done.kept.epochs
        loop.callbacks.stepped = partial(_told, loop, tell, number * steps, len(blocks) * steps)
        loop.run()
        said = outputs_of(loop.objective.network, texts)
        found[number * size : number * size + len(block)] = said.reshape(len(texts), len(block), -1).transpose(1, 0, 2)
    return found


def _loop(done: Replayed, left: NDArray[np.int64]) -> Loop:
    """The training of copies, not begun; it ends where the weights were kept."""
    made, outputs = partial(Copies, left=left), done.data.task.outputs * len(left)
    loop = training(done.data, done.spec, done.loss, done.settings, Callbacks(), outputs=outputs, objective=made)
    loop.micro_batch_size, loop.last_epoch, loop.followed = done.kept.micro_batch, done.kept.epochs, done.kept.scores
    return loop


def _told(loop: Loop, tell: Callable[[int, int], None], before: int, of: int) -> None:
    tell(before + loop.state.step, of)


@torch.no_grad()
def outputs_of(network: torch.nn.Module, texts: Selected) -> NDArray[np.float64]:
    """What a network says of texts [texts, outputs]."""
    nothing = torch.empty(0)
    return in_numpy(network(texts.batch(np.arange(len(texts)), nothing, nothing)))
