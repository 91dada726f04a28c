"""Which labelled texts each step of a training takes: a function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..data import Bags, Draws, epoch_order
from .dataset import Dataset, Part

Rows = list[tuple[int, NDArray[np.int64]]]
"""Of each piece of the training part, the numbers of its rows."""


class Drawing:
    """What an objective of labelled examples draws; those that extend it are dataclasses of these fields.

    batch_size: rows a step; None: all. rates: how often rows of each language are drawn in an epoch [L]; None: once, all of them.
    stop_by: the metric that training is judged by; None: the proper score, weighted as in training.
    """

    data: Dataset
    batch_size: int | None
    seed: int
    rates: NDArray[np.float64] | None
    stop_by: str | None
    unit: ClassVar[str] = "examples"
    _draws: dict[int, Draws]

    @property
    def metric(self) -> str:
        """What training is judged by."""
        return self.stop_by or self.data.held_out_metric

    def with_metric(self, found: dict[str, float], outputs: NDArray[Any], rows: NDArray[np.int64]) -> dict[str, float]:
        """What was ``found`` of the validation part, with the metric that training is judged by where that is no mean over
        batches: from the outputs of all its ``rows``, in any order.
        """
        if self.metric in found:
            return found
        data, order = self.data, np.argsort(rows)  # the same whoever took which batch
        target, weight = data.target[rows[order]], None if data.weight is None else data.weight[rows[order]]
        by_row = data.task.by_row(data.task.readable(outputs[order]), target, weight)
        return found | {self.metric: float(by_row[self.metric].mean())}

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        if self.batch_size is None:
            return 1
        shards = self._train.shards
        counts = [shards.count(piece) if self.rates is None else len(self._drawn(piece)) for piece in range(shards.pieces)]
        return sum(-(-count // self.batch_size) for count in counts)

    @property
    def ids_a_step(self) -> float:
        """How many feature numbers the rows of a step are read as, on average."""
        lengths = self._train.piece(0)[1].lengths
        return float(lengths.mean()) * (self.batch_size or len(lengths))

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

    def read(self, piece: int, chosen: NDArray[np.int64]) -> tuple[Bags, NDArray[Any], NDArray[np.float32]]:
        """Some rows of a piece: their features, targets, and what each weighs."""
        numbers, selected = self._train.piece(piece)
        rows = numbers[chosen]
        return selected.bags(chosen), self.data.task.of_network(self.data.target[rows]), self.data.loss_weight[rows]

    def weight(self, rows: Rows) -> float:
        """What all of a step's rows weigh together."""
        shards = self._train.shards
        return sum(float(self.data.loss_weight[shards.rows(piece)[chosen]].sum(dtype=np.float64)) for piece, chosen in rows)

    def size(self, rows: Rows) -> int:
        """How many there are."""
        return sum(len(chosen) for _, chosen in rows)

    def _order(self, piece: int, epoch: int) -> NDArray[np.int64]:
        """The rows of a piece in an epoch."""
        if self.rates is None:
            return epoch_order(self.seed, epoch, self._train.shards.count(piece), "rows", piece)
        return self._drawn(piece).rows(epoch)

    def _drawn(self, piece: int) -> Draws:
        if piece not in self._draws:
            languages = self.data.languages
            assert self.rates is not None
            assert languages is not None
            self._draws[piece] = Draws(languages.of_row[self._train.shards.rows(piece)], self.rates, self.seed, piece)
        return self._draws[piece]

    @property
    def _train(self) -> Part:
        assert self.data.train is not None
        return self.data.train


def cut(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """``order`` in pieces of ``size``, the last one shorter."""
    return (order[start : start + size] for start in range(0, len(order), size))


def sums(found: dict[str, tuple[NDArray[Any], NDArray[Any]]]) -> dict[str, tuple[float, float]]:
    """Of values and weights, by what each is called, the sum of weighted values, and of the weights."""
    return {
        name: (float(weight.astype(np.float64) @ values), float(weight.sum(dtype=np.float64)))
        for name, (values, weight) in found.items()
    }


def means(names: list[str], totals: NDArray[np.float64]) -> dict[str, float]:
    """What ``sums`` gave, added up [names · 2], as means."""
    return {name: float(total / max(weight, 1e-12)) for name, (total, weight) in zip(names, totals.reshape(-1, 2), strict=True)}
