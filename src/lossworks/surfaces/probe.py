"""Mean losses of a network at any weights of a plane, for the price of its small layers.

A table's sums are linear in its weights, so those of a whole plane follow from those of the weights kept and of two directions,
taken once; a table of millions of rows is then never made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..core.seeds import generator
from ..data import Batch, SparseEmbedding
from ..data.row_gradient import row_sums
from ..models import MICRO
from ..training.drawing import cut
from ..training.replay import Replayed

if TYPE_CHECKING:
    from ..training.dataset import Dataset, Part


@dataclass(slots=True)
class Seen:
    """What the losses read of some weights: those outside tables, in a row, and for each batch the sums of each table."""

    rest: Tensor
    sums: list[list[Tensor]]


class Probe:
    """A network's mean losses on a sample of its training rows, and its mean proper score on one of the held-out rows.

    The network is taken apart: its tables give way to their sums.
    """

    def __init__(self, done: Replayed, rows: int, seed: int) -> None:
        self.task, self.loss = done.data.task, done.loss
        self.network = done.network.cpu().eval()
        parts = (done.data.train, next((p for p in (done.data.test, done.data.valid) if p is not None and p.rows), None))
        train, held_out = ([] if part is None else _sample(done.data, part, rows, seed) for part in parts)
        self._batches = [batch for batch, _ in train + held_out]
        self._train, self._weights = len(train), [batch.weight for batch, _ in train]
        self._own = [own for _, own in held_out]
        self.rows, self.held_out_rows = (sum(len(batch) for batch, _ in each) for each in (train, held_out))
        self.held_out_name = {"nll": "nll", "mse": "mean squared error"}[self.task.held_out_metric]
        tables = {module.weight: name for name, module in self.network.named_modules() if isinstance(module, SparseEmbedding)}
        self._slices: list[tuple[slice, torch.Size, bool]] = []
        start = 0
        for p in self.network.parameters():
            self._slices.append((slice(start, start + p.numel()), p.shape, p in tables))
            start += p.numel()
        self._given = [_swap(self.network, tables[p]) for p in list(self.network.parameters()) if p in tables]

    def see(self, weights: Tensor) -> Seen:
        """What the losses read of ``weights``, all in a row."""
        tables = [weights[part].view(shape).numpy() for part, shape, is_table in self._slices if is_table]
        rest = [weights[part] for part, _, is_table in self._slices if not is_table]
        sums = [[torch.from_numpy(row_sums(batch, table)) for table in tables] for batch in self._batches]
        return Seen(torch.cat([torch.zeros(0), *rest]), sums)

    @torch.no_grad()
    def losses(self, seen: Seen) -> tuple[float | None, float | None]:
        """The mean training loss, and the mean proper score of the held-out rows; None where it is not finite, or of none."""
        if len(seen.rest):
            nn.utils.vector_to_parameters(seen.rest, self.network.parameters())
        values = []
        for number, (batch, sums) in enumerate(zip(self._batches, seen.sums, strict=True)):
            for given, standing in zip(self._given, sums, strict=True):
                given.sums = standing
            outputs = self.network(batch)
            train = number < self._train
            values.append(
                self.task.losses(self.loss, outputs, batch.target) if train else self.task.proper_score(outputs, batch.target)
            )
        return _mean(values[: self._train], self._weights), _mean(values[self._train :], self._own)


class _Given(nn.Module):
    """Stands in a table's place, and says what it is told."""

    sums: Tensor

    def forward(self, batch: Batch) -> Tensor:
        return self.sums


def _swap(network: nn.Module, name: str) -> _Given:
    parent, _, own = name.rpartition(".")
    given = _Given()
    setattr(network.get_submodule(parent), own, given)
    return given


def _sample(data: Dataset, part: Part, rows: int, seed: int) -> list[tuple[Batch, Tensor]]:
    """At most ``rows`` rows of a part, drawn without replacement, and what each weighs whatever its class; by pieces."""
    chosen = np.sort(generator(seed, "landscape", "rows").permutation(part.rows)[:rows])
    batches: list[tuple[Batch, Tensor]] = []
    start = 0
    for number in range(part.shards.pieces):
        end = start + part.shards.count(number)
        mine = chosen[(chosen >= start) & (chosen < end)] - start
        start = end
        if len(mine):
            names, selected = part.piece(number)
            for few in cut(mine, MICRO):
                own = np.ones(len(few), np.float32) if data.weight is None else data.weight[names[few]]
                batches.append((data.batch(selected, names, few), torch.from_numpy(own)))
    return batches


def _mean(values: list[Tensor], weights: list[Tensor]) -> float | None:
    if not values:
        return None
    every, weight = torch.cat(values).double(), torch.cat(weights).double()
    mean = float((every * weight).sum() / weight.sum().clamp_min(1e-12))
    return mean if np.isfinite(mean) else None
