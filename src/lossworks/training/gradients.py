"""The gradient of a step, micro-batch by micro-batch; smaller ones where memory runs out, with the same sum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import OutOfMemory
from ..core.memory import available, is_out_of_memory
from ..core.seeds import derive
from ..data import Batch
from ..engine.reduction import Reduction
from ..losses import Loss
from ..models import TextModel
from ..optim import Stepper
from .dataset import Dataset, Part
from .objective import example_losses, sampled_losses
from .settings import Settings
from .validation import cut

T = TypeVar("T")
Rows = tuple[int, NDArray[np.int64]]  # a piece, and the rows of it
_TRIED, _SPARED = 64, 0.8  # rows that are measured; the share of the memory there is that micro-batches may take


class Made(NamedTuple):
    """What a step's rows gave: Σ weight · loss, their risk, and the first row whose loss is not finite, where there is one."""

    amount: float
    risk: float
    bad: int | None = None


def with_less(run: Callable[[], T], lessen: Callable[[str], None]) -> T:
    """What ``run`` gives, begun anew after ``lessen(reason)`` as often as memory runs out; that raises where it cannot go on."""
    while True:
        try:
            return run()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error)
        lessen(reason)  # outside of the handler, whose traceback holds on to the tensors


@dataclass(slots=True)
class Gradients:
    """Makes the gradients of steps stand in ``network``'s parameters. ``micro``: rows whose outputs stand in memory at once."""

    data: Dataset
    train: Part
    network: TextModel
    loss: Loss
    stepper: Stepper
    reduction: Reduction
    settings: Settings
    micro: int

    def make(self, rows: list[Rows], total: float, step: int) -> Made:
        """The gradient of the risk of all ``rows``, which weigh ``total``, in step number ``step``; useless where one is bad.

        Raises:
            OutOfMemory: a single row does not fit.
        """
        return self._halving(rows, lambda: self._make(rows, total, step))

    def curvature(self, rows: list[Rows], step: int) -> None:
        """Have the stepper observe the curvature: the gradient of the mean loss of targets that the model itself draws."""
        count = sum(len(chosen) for _, chosen in rows)

        def draw() -> None:
            _seed(self.settings.device, derive(self.settings.seed, "curvature", step))
            for batch, _ in self._batches(rows):
                self.stepper.train_weights(batch)
                (sampled_losses(self.data.task, self.network(batch)).sum() / count).backward()  # type: ignore[no-untyped-call]

        self._halving(rows, draw)
        self.stepper.observe_curvature(count)

    def _halving(self, rows: list[Rows], run: Callable[[], T]) -> T:
        """What ``run`` gives, begun anew with smaller micro-batches as often as memory runs out."""
        remembered = self.reduction.state

        def lessen(reason: str) -> None:
            self.forget()
            self.reduction.state = remembered
            if self.micro == 1:
                remedy = (
                    "a smaller model" if self.reduction.is_mean else "a smaller --batch-size: its losses wait for one another"
                )
                raise OutOfMemory(f"out of memory with a single row a micro-batch ({reason}). Try {remedy}.")
            self.micro = max(1, min(self.micro, max(len(chosen) for _, chosen in rows)) // 2)

        return with_less(run, lessen)

    def forget(self) -> None:
        """Leave no part of a gradient."""
        self.reduction.forget()
        self.stepper.zero_grad()

    def fit_memory(self) -> None:
        """Find the largest micro-batch of the longest texts, ``micro`` rows at most, that memory has room for."""
        remembered = self.reduction.state
        _, selected = self.train.piece(0)
        longest = np.argsort(-selected.lengths, kind="stable")
        few = longest[: min(_TRIED, self.micro)]
        held = _Held()
        with torch.autograd.graph.saved_tensors_hooks(held.pack, held.unpack):
            self.make([(0, few)], float(len(few)), 0)
        self.forget()
        if self.settings.device == "cpu":  # where taking too much ends the process, there is no trying
            needed = (2 * held.bytes + 8 * int(selected.lengths[few].sum())) / len(few)  # outputs, gradients, ids and values
            self.micro = int(max(1, min(self.micro, _SPARED * available() / max(1.0, needed))))
        most = longest[: self.micro]
        self.make([(0, most)], float(len(most)), 0)
        self.forget()
        self.reduction.state = remembered

    def _make(self, rows: list[Rows], total: float, step: int) -> Made:
        _seed(self.settings.device, derive(self.settings.seed, "step", step))
        summed = 0.0
        for batch, numbers in self._batches(rows):
            self.stepper.train_weights(batch)
            outputs = self.network(batch)
            target = batch.target.to(outputs.device)
            values = example_losses(self.data.task, self.loss, outputs, target)
            amount = self.reduction.add(values, batch.weight.to(values), target, total)
            summed += amount
            if not math.isfinite(amount):
                self.forget()
                return Made(amount, math.inf, int(numbers[_first_bad(values)]))
        risk = self.reduction.finish()
        return Made(summed, summed / total if risk is None else risk)

    def _batches(self, rows: list[Rows]) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """The micro-batches, and the numbers of their rows."""
        for piece, chosen in rows:
            numbers, selected = self.train.piece(piece)
            for part in cut(chosen, self.micro):
                yield self.data.batch(selected, numbers, part), numbers[part]


class _Held:
    """Counts the bytes that autograd keeps for the backward pass."""

    def __init__(self) -> None:
        self.bytes = 0

    def pack(self, tensor: Tensor) -> Tensor:
        self.bytes += tensor.nbytes
        return tensor

    def unpack(self, tensor: Tensor) -> Tensor:
        return tensor


def _first_bad(values: Tensor) -> int:
    bad = ~values.detach().isfinite()
    return int(bad.nonzero()[0]) if bool(bad.any()) else 0


def _seed(device: str, seed: int) -> None:
    """Seed the one generator that is used; ``torch.manual_seed`` seeds all there are and costs more than a small step."""
    if device.startswith("cuda"):
        with torch.cuda.device(torch.device(device)):
            torch.cuda.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
