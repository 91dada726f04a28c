"""The gradient of a step: shard by shard and micro-batch by micro-batch, smaller ones where memory runs out, of all processes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.errors import OutOfMemory
from ..core.memory import available, is_out_of_memory
from ..core.seeds import derive, torch_seeded
from ..optim import Stepper
from .contracts import Rows
from .distributed import World
from .exchange import GradientSum
from .objective import Losses, Objective
from .reduction import Reduction, together

_TRIED, _SPARED = 64, 0.8  # rows that are measured; the share of the memory there is that micro-batches may take


class Gradient(NamedTuple):
    """What a step's rows gave: Σ weight · loss and their risk. Where a loss is not finite, its place in words.

    asked: of the things that a process can ask for at each step, those that any of them did.
    """

    amount: float
    risk: float
    bad: str | None = None
    asked: tuple[bool, ...] = ()


@dataclass(slots=True)
class _Shard:
    """One shard of a step: its rows, Σ weight · loss, and where the first loss stands that is not finite."""

    number: int
    rows: Rows
    size: int
    amount: float = 0.0
    bad: str | None = None
    held: list[Losses] = field(default_factory=list)  # of its micro-batches, with their graphs, where a risk waits for them


@dataclass(slots=True)
class Gradients:
    """Makes the gradients of steps stand in the stepper.

    sizes: of each shard's micro-batches, examples, or tokens with their padding, whose outputs stand in memory at once.
    """

    objective: Objective
    stepper: Stepper
    reduction: Reduction
    world: World
    sizes: list[int]

    @property
    def micro_batch_size(self) -> int:
        """The smallest."""
        return min(self.sizes)

    def make(self, rows: Rows, weight: float, epoch: int, step: int, asked: tuple[bool, ...] = ()) -> Gradient:
        """The gradient of the risk of a step's rows, which weigh ``weight``, and what was ``asked`` for.

        What the network carries from step to step is then as after the rows. The gradient is of no use where a loss is bad.

        Raises:
            OutOfMemory: a single row does not fit.
        """
        shards, total = self._dealt(rows), GradientSum(self.world, self.stepper)
        before = [] if self.reduction.is_mean else self._carried()
        for shard in shards:
            self._halving(shard, partial(self._forward, shard, weight, epoch, step))
            if self.reduction.is_mean:
                total.take(shard.number)
        amount, anyone = self._told(shards, asked)
        if not math.isfinite(amount):
            self.stepper.zero_grad()
            return Gradient(amount, math.inf, self._place(shards), anyone)
        risk = amount / weight
        if not self.reduction.is_mean:
            risk, slopes = self._risk(shards)
            for shard, slope in zip(shards, slopes, strict=True):
                self._halving(shard, partial(self._backward, shard, slope, before, epoch, step))
                total.take(shard.number)
        total.finish()
        return Gradient(amount, risk, None, anyone)

    def curvature(self, rows: Rows, epoch: int, step: int) -> None:
        """Have the stepper observe the curvature: the gradient of the mean loss of targets that the network itself draws."""
        carry, count = self._carried(), self.objective.size(rows)
        total = GradientSum(self.world, self.stepper)

        def draw(shard: _Shard) -> None:
            with torch_seeded(self._seed("curvature", step, shard), str(self.objective.device)):
                for batch, counts in self._batches(shard, epoch):
                    (self.objective.sampled_losses(batch).sum() * (counts / count)).backward()  # type: ignore[no-untyped-call]

        for shard in self._dealt(rows):
            self._halving(shard, partial(draw, shard))
            total.take(shard.number)
        total.finish()
        self.objective.load_carry(carry)
        self.stepper.observe_curvature(count)

    def fit_memory(self) -> None:
        """Find the largest micro-batch of the longest rows, no larger than now, that memory has room for."""
        held, state = list[int](), self.reduction.state  # bytes that autograd keeps

        def keep(tensor: Tensor) -> Tensor:
            held.append(tensor.nbytes)
            return tensor

        alone = Gradients(self.objective, self.stepper, self.reduction, World(), [self.micro_batch_size])
        few = self.objective.longest(min(_TRIED, self.micro_batch_size))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            alone.make(few, float(self.objective.size(few)), 0, 0)
        self.stepper.zero_grad()
        size = alone.micro_batch_size
        if self.objective.device.type == "cpu":  # where taking too much ends the process, there is no trying
            needed: float = 2 * sum(held) + 8 * self.objective.ids(few)  # outputs, gradients, ids and values
            needed /= self.objective.size(few)
            size = int(max(1, min(size, _SPARED * available() / max(1.0, needed))))
        alone.sizes = [size]
        most = self.objective.longest(size)
        alone.make(most, float(self.objective.size(most)), 0, 0)
        self.stepper.zero_grad()
        self.reduction.state = state
        found = self.world.gather(alone.micro_batch_size, device=self.objective.device)
        self.sizes = [int(min(own[0] for own in found))] * self.world.shards

    def _dealt(self, rows: Rows) -> list[_Shard]:
        """This process's shards; of those without rows nothing would say that the weights are to be those to train with."""
        self.stepper.train_weights()
        dealt = [(number, self.objective.share(rows, self.world, number)) for number in self.world.own]
        return [_Shard(number, mine, self.objective.size(mine)) for number, mine in dealt]

    def _forward(self, shard: _Shard, weight: float, epoch: int, step: int) -> None:
        """The losses of a shard, up to the first that is not finite; of a mean also their gradient."""
        shard.amount, shard.bad, shard.held = 0.0, None, []
        with torch_seeded(self._seed("step", step, shard), str(self.objective.device)):
            for batch, counts in self._batches(shard, epoch):
                losses = self.objective.losses(batch)
                summed = (losses.values * losses.weight).sum() * counts
                amount = summed.item()
                shard.amount += amount
                if not math.isfinite(amount):
                    shard.bad = shard.bad or self.objective.place(batch, losses.values.detach())
                    if not self.world.in_step:
                        return
                if self.reduction.is_mean:
                    (summed / weight).backward()  # type: ignore[no-untyped-call]
                else:
                    shard.held.append(losses)

    def _batches(self, shard: _Shard, epoch: int) -> Iterator[tuple[Any, bool]]:
        """A shard's micro-batches, the weights ready for each; what is carried stands still in one that does not count."""
        objective, size = self.objective, self.sizes[shard.number]

        def spare() -> Any:
            return next(objective.micro_batches(objective.longest(1), epoch, size))

        for batch, counts in self.world.together(objective.micro_batches(shard.rows, epoch, size), spare):
            carry = [] if counts else self._carried()
            self.stepper.train_weights(objective.read_by(batch))
            yield batch, counts
            if not counts:
                objective.load_carry(carry)

    def _backward(self, shard: _Shard, slopes: Tensor, before: list[Tensor], epoch: int, step: int) -> None:
        """The gradient of a shard's losses, by the risk's derivative; of those held, or made anew where they were used up."""
        if not shard.size:
            return
        if not shard.held:
            carry = self._carried()
            self.objective.load_carry([each.clone() for each in before])
            self._forward(shard, 1.0, epoch, step)
            self.objective.load_carry(carry)
        values, shard.held = [losses.values for losses in shard.held], []
        torch.autograd.backward(values, torch.split(slopes.to(values[0].dtype), list(map(len, values))))

    def _risk(self, shards: list[_Shard]) -> tuple[float, list[Tensor]]:
        """The risk of a step's losses, those of all processes in the order of shards; and of each own shard its derivatives."""
        held = [together(shard.held, exact=self.world.shards > 1) if shard.held else self._no_losses() for shard in shards]
        own = together(held)
        parts = [own.values, own.weight, *([] if own.groups is None else [own.groups])]
        every = [[part.flatten() for part in self.world.gather_rows(each)] for each in parts]
        risk, slopes = self.reduction.slopes(Losses(*map(torch.cat, every)))
        mine = torch.split(slopes, list(map(len, every[0])))[self.world.rank]
        return risk, list(torch.split(mine, [len(each.values) for each in held]))

    def _no_losses(self) -> Losses:
        none = torch.empty(0, dtype=torch.float64, device=self.objective.device)
        return Losses(none, none, none.long() if self.reduction.risk.grouped else None)

    def _told(self, shards: list[_Shard], asked: tuple[bool, ...]) -> tuple[float, tuple[bool, ...]]:
        """Σ weight · loss of all shards, and what any process asks for; on the way all learn each shard's micro-batch."""
        if self.world.shards == 1:
            return shards[0].amount, asked
        own, sizes = [shard.amount for shard in shards], [self.sizes[shard.number] for shard in shards]
        told = self.world.gather(*own, *sizes, *asked, device=self.objective.device)
        count = len(shards)
        self.sizes = [int(size) for each in told for size in each[count : 2 * count]]
        anyone = tuple(any(wishes) for wishes in zip(*(each[2 * count :] for each in told), strict=True))
        return sum(amount for each in told for amount in each[:count]), anyone

    def _place(self, shards: list[_Shard]) -> str:
        """Where the first loss stands that is not finite, of all processes."""
        bad = next((shard.bad for shard in shards if shard.bad), "")
        return next(filter(None, self.world.texts(bad, self.objective.device)), "")

    def _halving(self, shard: _Shard, run: Callable[[], None]) -> None:
        """``run``, begun again with smaller micro-batches of this shard as often as memory runs out."""
        carry = self._carried()
        while True:
            try:
                return run()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            if self.world.in_step:
                raise OutOfMemory(f"out of memory ({reason}). With --sharding fsdp choose a smaller --batch-tokens.")
            shard.held = []  # outside of the handler, whose traceback holds on to the tensors
            self.stepper.zero_grad()
            self.objective.load_carry([each.clone() for each in carry])
            self._halve(shard, reason)

    def _halve(self, shard: _Shard, reason: str) -> None:
        size = min(self.sizes[shard.number], self.objective.largest(shard.rows)) // 2
        if size < self.objective.smallest(shard.rows):
            waits = "a smaller --batch-size, whose losses stand in memory together"
            remedy = "a smaller model or context" if self.reduction.is_mean else waits
            raise OutOfMemory(f"out of memory with a single row a micro-batch ({reason}). Try {remedy}.")
        self.sizes[shard.number] = size

    def _carried(self) -> list[Tensor]:
        return [each.clone() for each in self.objective.carry()]

    def _seed(self, what: str, step: int, shard: _Shard) -> int:
        return derive(self.objective.seed, what, step, *([shard.number] if shard.number else []))
