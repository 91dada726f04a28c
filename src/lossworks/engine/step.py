"""The gradient of a step: micro-batch by micro-batch, smaller ones where memory runs out, and of all processes together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..core.errors import OutOfMemory
from ..core.memory import available, is_out_of_memory
from ..core.seeds import derive, torch_seeded
from ..optim import Stepper
from .distributed import World
from .objective import Objective, Rows
from .reduction import Reduction

T = TypeVar("T")
_TRIED, _SPARED = 64, 0.8  # rows that are measured; the share of the memory there is that micro-batches may take


class Gradient(NamedTuple):
    """What a step's rows gave: Σ weight · loss and their risk. Where a loss is not finite, its place in words."""

    amount: float
    risk: float
    bad: str | None = None


@dataclass(slots=True)
class Gradients:
    """Makes the gradients of steps stand in the network's parameters.

    micro_batch_size: examples, or tokens with their padding, whose outputs stand in memory at once.
    on_smaller: called with (new size, old size) after a step for which it had to become smaller.
    """

    objective: Objective
    stepper: Stepper
    reduction: Reduction
    world: World
    micro_batch_size: int
    on_smaller: Callable[[int, int], None] = lambda size, before: None

    def make(self, rows: Rows, weight: float, epoch: int, step: int) -> Gradient:
        """The gradient of the risk of a step's rows, which weigh ``weight`` in all processes; ``rows`` are this one's.

        What the network carries from step to step is then as after the rows. The gradient is of no use where a loss is bad.

        Raises:
            OutOfMemory: a single row does not fit.
        """
        found = self._halving(rows, lambda: self._make(rows, weight, epoch, step))
        self.world.sum_gradients(self.objective.network.parameters())
        return found

    def curvature(self, rows: Rows, weight: float, epoch: int, step: int) -> None:
        """Have the stepper observe the curvature: the gradient of the mean loss of targets that the network itself draws."""
        carry = [each.clone() for each in self.objective.carry()]
        count = self.objective.size(rows) if self.world.size == 1 else weight

        def draw() -> None:
            with torch_seeded(self._seed("curvature", step), str(self.objective.device)):
                for batch, counts in self._batches(rows, epoch):
                    (self.objective.sampled_losses(batch).sum() * (counts / count)).backward()  # type: ignore[no-untyped-call]

        self._halving(rows, draw)
        self.world.sum_gradients(self.objective.network.parameters())
        self.objective.load_carry(carry)
        self.stepper.observe_curvature(int(count))

    def zero_grad(self) -> None:
        """Leave no part of a gradient."""
        self.reduction.reset()
        self.stepper.zero_grad()

    def fit_memory(self) -> None:
        """Find the largest micro-batch of the longest rows, ``micro_batch_size`` at most, that memory has room for."""
        state, on_smaller, held = self.reduction.state, self.on_smaller, list[int]()  # bytes that autograd keeps

        def keep(tensor: Tensor) -> Tensor:
            held.append(tensor.nbytes)
            return tensor

        self.on_smaller = lambda size, before: None  # said once it is found
        few = self.objective.longest(min(_TRIED, self.micro_batch_size))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            self.make(few, float(self.objective.size(few)), 0, 0)
        self.zero_grad()
        if self.objective.device.type == "cpu":  # where taking too much ends the process, there is no trying
            needed: float = 2 * sum(held) + 8 * self.objective.ids(few)  # outputs, gradients, ids and values
            needed /= self.objective.size(few)
            self.micro_batch_size = int(max(1, min(self.micro_batch_size, _SPARED * available() / max(1.0, needed))))
        most = self.objective.longest(self.micro_batch_size)
        self.make(most, float(self.objective.size(most)), 0, 0)
        self.zero_grad()
        self.reduction.state, self.on_smaller = state, on_smaller

    def _make(self, rows: Rows, weight: float, epoch: int, step: int) -> Gradient:
        summed = 0.0
        with torch_seeded(self._seed("step", step), str(self.objective.device)):
            for batch, counts in self._batches(rows, epoch):
                losses = self.objective.losses(batch)
                losses = losses if counts else replace(losses, weight=torch.zeros_like(losses.weight))
                amount = self.reduction.add(losses, weight, self.world.agreed)
                summed += amount
                if not math.isfinite(amount):
                    self.zero_grad()
                    return Gradient(amount, math.inf, self.objective.place(batch, losses.values.detach()))
            risk = self.reduction.finish()
        return Gradient(summed, summed / weight if risk is None else risk)

    def _batches(self, rows: Rows, epoch: int) -> Iterator[tuple[Any, bool]]:
        """The micro-batches of some rows, the weights ready for each; what is carried stands still in one that does not count."""
        objective, size = self.objective, self.micro_batch_size

        def spare() -> Any:
            return next(objective.micro_batches(objective.longest(1), epoch, size))

        for batch, counts in self.world.together(objective.micro_batches(rows, epoch, size), spare):
            carry = [] if counts else [each.clone() for each in objective.carry()]
            self.stepper.train_weights(objective.read_by(batch))
            yield batch, counts
            if not counts:
                objective.load_carry(carry)

    def _halving(self, rows: Rows, run: Callable[[], T]) -> T:
        """What ``run`` gives, started again with smaller micro-batches as often as memory runs out."""
        state, carry = self.reduction.state, [each.clone() for each in self.objective.carry()]
        before = self.micro_batch_size
        while True:
            try:
                found = run()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
                if self.world.in_step:
                    raise OutOfMemory(
                        f"out of memory ({reason}). With --sharding fsdp choose a smaller --batch-tokens."
                    ) from None
            else:
                if self.micro_batch_size < before:
                    self.on_smaller(self.micro_batch_size, before)
                return found
            self.zero_grad()  # outside of the handler, whose traceback holds on to the tensors
            self.reduction.state = state
            self.objective.load_carry([each.clone() for each in carry])
            self._halve(rows, reason)

    def _halve(self, rows: Rows, reason: str) -> None:
        self.micro_batch_size = min(self.micro_batch_size, self.objective.largest(rows)) // 2
        if self.micro_batch_size < self.objective.smallest(rows):
            waits = "a smaller --batch-size, whose losses stand in memory together"
            remedy = "a smaller model or context" if self.reduction.is_mean else waits
            raise OutOfMemory(f"out of memory with a single row a micro-batch ({reason}). Try {remedy}.")

    def _seed(self, what: str, step: int) -> int:
        return derive(self.objective.seed, what, step, *([self.world.rank] if self.world.rank else []))
