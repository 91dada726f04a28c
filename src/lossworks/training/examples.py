"""Labelled texts as the engine trains on them: rows of features, their losses by the task, the validation rows' score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.memory import rows_at_once
from ..data import Batch, Draws, Selected
from ..engine import Losses, Objective
from ..engine.distributed import World, dealt
from ..losses import Loss
from ..losses.sums import without_target
from ..models import MICRO, TextModel
from ..models.linear_network import Linear
from ..optim import Stepper
from .allowed import BY_BOTH, BY_LANGUAGE
from .dataset import Dataset
from .drawing import Drawing, Rows, cut, means, sums
from .stretch import Stretch, played_in

Said = list[tuple[Tensor, NDArray[np.int64]]]
"""Outputs of batches, and the numbers of their rows in the data."""
_MicroBatch = tuple[Batch, NDArray[np.int64]]  # and the numbers of its rows in the data


@dataclass
class ExampleObjective(Drawing, Objective):  # type: ignore[override]
    """A network over features.

    batch_size, rates, stop_by: as of ``Drawing``.
    groups: what a risk compares; None: the classes, if there are any. said: told the network's outputs of the rows of each step.
    """

    data: Dataset
    network: TextModel
    loss: Loss
    batch_size: int | None
    seed: int
    rates: NDArray[np.float64] | None = None
    groups: str | None = None
    stop_by: str | None = None
    said: Callable[[Tensor], None] = lambda outputs: None
    _draws: dict[int, Draws] = field(default_factory=dict, init=False)
    _language: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        languages = self.data.languages if self.rates is not None or self.groups is not None else None
        self._language = np.empty(0, np.int32) if languages is None else languages.of_row

    def share(self, rows: Rows, world: World, shard: int) -> Rows:
        within, first, found = dealt(self.size(rows), world, shard), 0, []
        for piece, chosen in rows:
            some = chosen[max(0, within.start - first) : max(0, within.stop - first)]
            found += [(piece, some)] if len(some) else []
            first += len(chosen)
        return found

    def micro_batches(self, rows: Rows, epoch: int, size: int) -> Iterator[_MicroBatch]:
        for piece, chosen in rows:
            numbers, selected = self._train.piece(piece)
            for part in cut(chosen, size):
                yield self.data.batch(selected, numbers, part), numbers[part]

    def smallest(self, rows: Rows) -> int:
        return 1

    def largest(self, rows: Rows) -> int:
        return max(len(chosen) for _, chosen in rows)

    def losses(self, batch: _MicroBatch) -> Losses:
        outputs = self.network(batch[0])
        self.said(outputs.detach())
        target = batch[0].target.to(outputs.device)
        values = self._values(outputs, target, batch[1])
        groups = target if self.data.task.groups else None
        if self.groups in (BY_LANGUAGE, BY_BOTH):
            language = torch.from_numpy(self._language[batch[1]]).to(target.device, torch.int64)
            groups = language if self.groups == BY_LANGUAGE else language * self.data.task.groups + target
        return Losses(values, batch[0].weight.to(values), groups)

    def _values(self, outputs: Tensor, target: Tensor, numbers: NDArray[np.int64]) -> Tensor:
        """The loss of each row; of those without a label, what of it needs none."""
        task, data = self.data.task, self.data
        if data.teacher is None:
            return task.losses(self.loss, outputs, target)
        teacher = data.taught(numbers, outputs)
        given = None if data.given is None else data.given[numbers]
        if given is None or given.all():
            return task.losses(self.loss, outputs, target, teacher)
        taught = task.losses(without_target(self.loss), outputs, target, teacher)
        if not given.any():
            return taught
        return torch.where(torch.from_numpy(given).to(outputs.device), task.losses(self.loss, outputs, target, teacher), taught)

    def sampled_losses(self, batch: _MicroBatch) -> Tensor:
        return self.data.task.sampled_losses(self.network(batch[0]))

    def stretch(self, stepper: Stepper) -> Stretch | None:
        network = self.network
        if not isinstance(network, Linear) or (played := played_in(self, stepper.optimizer, self.loss)) is None:
            return None
        table, bias = stepper.rows(network.table.weight), stepper.rows(network.bias)
        return Stretch(self, played, table, bias, lambda outputs: self.said(torch.from_numpy(outputs)))

    def read_by(self, batch: _MicroBatch) -> Batch:
        return batch[0]

    def place(self, batch: _MicroBatch, values: Tensor) -> str:
        bad = (~values.isfinite()).nonzero()
        return self.data.place(int(batch[1][int(bad[0]) if len(bad) else 0]))

    def longest(self, count: int) -> Rows:
        _, selected = self._train.piece(0)
        return [(0, np.argsort(-selected.lengths, kind="stable")[:count])]

    def ids(self, rows: Rows) -> int:
        return sum(int(self._train.piece(piece)[1].lengths[chosen].sum()) for piece, chosen in rows)

    @torch.no_grad()
    def held_out(self, world: World) -> dict[str, float] | None:
        """Means over the validation rows: the proper score and ``loss``, weighted as in training; by the rows' own weights the
        proper score, ``accuracy`` (of label sets, the share of labels that are right) where there are labels, and what training
        is stopped by. Where the rows have none, ``loss`` and the ``divergence`` from the teacher.
        """
        part = self.data.valid
        if part is None or not part.rows:
            return None
        self.network.eval()
        size = rows_at_once(self.data.task.outputs, MICRO)
        batches = ((rows, selected, chosen) for rows, selected in part.pieces() for chosen in cut(np.arange(len(rows)), size))
        said: Said = [(torch.empty(0, dtype=torch.float64, device=self.device), np.empty(0, np.int64))]
        found = [self._judged(*batch, said) for number, batch in enumerate(batches) if world.takes(number)]
        names = json.loads(world.of_first(json.dumps(list(found[0]) if found else []), self.device))
        own = [[number for pair in batch.values() for number in pair] for batch in found]
        totals = np.zeros(2 * len(names))
        for batch in world.in_turn(torch.tensor(own, dtype=torch.float64, device=self.device)).cpu().numpy():
            totals += batch
        told = means(names, totals)
        return told if self.stop_by is None else self.with_metric(told, *self._gathered(world, said))

    def _gathered(self, world: World, said: Said) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The outputs of all processes' batches, and the numbers of their rows."""
        outputs = torch.cat([each.reshape(-1, self.data.task.outputs) for each, _ in said])
        numbers = torch.from_numpy(np.concatenate([each for _, each in said])[:, None]).to(self.device)
        every, rows = (torch.cat(world.gather_rows(mine)).cpu().numpy() for mine in (outputs, numbers))
        return every, rows[:, 0]

    def _judged(
        self, rows: NDArray[np.int64], selected: Selected, chosen: NDArray[np.int64], said: Said
    ) -> dict[str, tuple[float, float]]:
        """Of a batch of validation rows, by what each is called, the sum of weighted values, and of the weights. What the network
        says of them is added to ``said``, where training is stopped by something else.
        """
        data, task = self.data, self.data.task
        batch, numbers = data.batch(selected, rows, chosen), rows[chosen]
        outputs = self.network(batch)
        if self.stop_by is not None:
            said.append((outputs.double(), numbers))
        target = batch.target.to(outputs.device)
        trained: NDArray[Any] = data.loss_weight[numbers]
        own: NDArray[Any] = np.ones(len(numbers)) if data.weight is None else data.weight[numbers]
        found = {"loss": (self._values(outputs, target, numbers), trained)}
        if data.judged_by_teacher:
            found |= {data.held_out_metric: (task.divergence(outputs, target, data.taught(numbers, outputs)), trained)}
        else:
            score, correct = task.proper_score(outputs, target), task.correct(outputs, target)
            found |= {data.held_out_metric: (score, trained), task.held_out_metric: (score, own)}
            found |= {} if correct is None else {"accuracy": (correct, own)}
        return sums({name: (in_numpy(values), weight) for name, (values, weight) in found.items()})


def in_numpy(values: Tensor) -> NDArray[Any]:
    """A tensor's values in float64, on the CPU."""
    return np.asarray(values.detach().double().cpu().numpy())
