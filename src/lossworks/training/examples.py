"""Labelled texts as the engine trains on them: rows of features, their losses by the task, the validation rows' score."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.memory import rows_at_once
from ..data import Batch, Draws, Selected, epoch_order
from ..engine import Losses, Objective, Stretch
from ..engine.distributed import World, dealt
from ..losses import Loss
from ..losses.sums import without_target
from ..models import MICRO, TextModel
from ..optim import Stepper
from .dataset import Dataset, Part
from .settings import BY_BOTH, BY_LANGUAGE
from .stretch import stretch

Rows = list[tuple[int, NDArray[np.int64]]]
"""Of each piece of the training part, the numbers of its rows."""
Said = list[tuple[Tensor, NDArray[np.int64]]]
"""Outputs of batches, and the numbers of their rows in the data."""
_MicroBatch = tuple[Batch, NDArray[np.int64]]  # and the numbers of its rows in the data


@dataclass
class ExampleObjective(Objective):
    """A network over features.

    batch_size: rows a step; None: all. rates: how often rows of each language are drawn in an epoch [L]; None: once, all of them.
    groups: what a risk compares; None: the classes, if there are any. stop_by: the metric that training is judged by; None: the
    proper score, weighted as in training. said: told the network's outputs of the rows of each step.
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
    unit: ClassVar[str] = "examples"  # type: ignore[misc]
    _draws: dict[int, Draws] = field(default_factory=dict, init=False)
    _language: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        languages = self.data.languages if self.rates is not None or self.groups is not None else None
        self._language = np.empty(0, np.int32) if languages is None else languages.of_row

    @property
    def metric(self) -> str:  # type: ignore[override]
        """What training is judged by."""
        return self.stop_by or self.data.held_out_metric

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        if self.batch_size is None:
            return 1
        shards = self._train.shards
        counts = [shards.count(piece) if self.rates is None else len(self._drawn(piece)) for piece in range(shards.pieces)]
        return sum(-(-count // self.batch_size) for count in counts)

    def steps(self, epoch: int) -> Iterator[Rows]:
        """Nothing is loaded yet."""
        shards = self._train.shards
        pieces = epoch_order(self.seed, epoch, shards.pieces, "pieces").tolist()
        orders = ((piece, self._order(piece, epoch)) for piece in pieces)
        if self.batch_size is None:
            yield list(orders)
            return
        for piece, order in orders:
            for batch in cut(order, self.batch_size):
                yield [(piece, batch)]

    def _order(self, piece: int, epoch: int) -> NDArray[np.int64]:
        """The rows of a piece in an epoch."""
        if self.rates is None:
            return epoch_order(self.seed, epoch, self._train.shards.count(piece), "rows", piece)
        return self._drawn(piece).rows(epoch)

    def _drawn(self, piece: int) -> Draws:
        assert self.rates is not None
        if piece not in self._draws:
            self._draws[piece] = Draws(self._language[self._train.shards.rows(piece)], self.rates, self.seed, piece)
        return self._draws[piece]

    def share(self, rows: Rows, world: World, shard: int) -> Rows:
        within, first, found = dealt(self.size(rows), world, shard), 0, []
        for piece, chosen in rows:
            some = chosen[max(0, within.start - first) : max(0, within.stop - first)]
            found += [(piece, some)] if len(some) else []
            first += len(chosen)
        return found

    def weight(self, rows: Rows) -> float:
        shards = self._train.shards
        return sum(float(self.data.loss_weight[shards.rows(piece)[chosen]].sum(dtype=np.float64)) for piece, chosen in rows)

    def size(self, rows: Rows) -> int:
        return sum(len(chosen) for _, chosen in rows)

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
        return stretch(self, stepper)

    @property
    def ids_a_step(self) -> float:
        """How many feature numbers the rows of a step are read as, on average."""
        lengths = self._train.piece(0)[1].lengths
        return float(lengths.mean()) * (self.batch_size or len(lengths))

    def batch(self, piece: int, chosen: NDArray[np.int64]) -> Batch:
        """Some rows of a piece."""
        numbers, selected = self._train.piece(piece)
        return self.data.batch(selected, numbers, chosen)

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
        sums = np.zeros(2 * len(names))
        for batch in world.in_turn(torch.tensor(own, dtype=torch.float64, device=self.device)).cpu().numpy():
            sums += batch
        pairs = zip(names, sums.reshape(-1, 2), strict=True)
        means = {name: float(total / max(weight, 1e-12)) for name, (total, weight) in pairs}
        return means if self.metric in means else means | {self.metric: self._by_rows(world, said)}

    def _by_rows(self, world: World, said: Said) -> float:
        """The metric that training is stopped by, where it is no mean over batches: from what was said of all validation rows."""
        data, task = self.data, self.data.task
        outputs = torch.cat([each.reshape(-1, task.outputs) for each, _ in said])
        numbers = torch.from_numpy(np.concatenate([each for _, each in said])[:, None]).to(self.device)
        every, of = (torch.cat(world.gather_rows(mine)).cpu().numpy() for mine in (outputs, numbers))
        order = np.argsort(of[:, 0])  # the same whoever took which batch
        rows = of[order, 0]
        weight = None if data.weight is None else data.weight[rows]
        return float(task.by_row(task.readable(every[order]), data.target[rows], weight)[self.metric].mean())

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
        return {
            name: (float(weight.astype(np.float64) @ in_numpy(values)), float(weight.sum(dtype=np.float64)))
            for name, (values, weight) in found.items()
        }

    @property
    def _train(self) -> Part:
        assert self.data.train is not None
        return self.data.train


def cut(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """``order`` in pieces of ``size``, the last one shorter."""
    return (order[start : start + size] for start in range(0, len(order), size))


def in_numpy(values: Tensor) -> NDArray[Any]:
    """A tensor's values in float64, on the CPU."""
    return np.asarray(values.detach().double().cpu().numpy())
