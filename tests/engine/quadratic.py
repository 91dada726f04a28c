"""The smallest thing that the engine trains: one weight, drawn to the numbers of each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lossworks.engine import Callbacks, Loop, Losses, Objective
from lossworks.engine.distributed import World, dealt
from lossworks.engine.reduction import Reduction
from lossworks.optim import Stepper, build
from lossworks.risks.mean import Mean
from lossworks.schedules import Clock
from lossworks.schedules import build as schedule_of


class Pull(Objective):
    """(w - x)² / 2 of the numbers ``x`` of a step; ``held_out_scores`` are told one after another, or those of w."""

    metric, unit, seed = "nll", "examples", 0

    def __init__(self, numbers: Sequence[float], a_step: int = 2, held_out_scores: Sequence[float] | None = None) -> None:
        self.network = nn.Linear(1, 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(self.network.weight)
        self.numbers, self.a_step = torch.tensor(numbers, dtype=torch.float64), a_step
        self.scores = None if held_out_scores is None else iter(held_out_scores)
        self.sizes: list[int] = []

    def steps(self, epoch: int) -> Sequence[Tensor]:
        return torch.split(torch.arange(len(self.numbers)), self.a_step)

    def share(self, rows: Tensor, world: World, shard: int) -> Tensor:
        return rows[dealt(len(rows), world, shard)]

    def weight(self, rows: Tensor) -> float:
        return float(len(rows))

    def size(self, rows: Tensor) -> int:
        return len(rows)

    def micro_batches(self, rows: Tensor, epoch: int, size: int) -> Iterator[Tensor]:
        return iter(torch.split(rows, size))

    def smallest(self, rows: Tensor) -> int:
        return 1

    def largest(self, rows: Tensor) -> int:
        return len(rows)

    def losses(self, batch: Tensor) -> Losses:
        self.sizes.append(len(batch))
        values = (self.network.weight[0] - self.numbers[batch]).square() / 2
        return Losses(values, torch.ones_like(values))

    def sampled_losses(self, batch: Tensor) -> Tensor:
        return self.losses(batch).values

    def longest(self, count: int) -> Tensor:
        return torch.arange(min(count, len(self.numbers)))

    def ids(self, rows: Tensor) -> int:
        return len(rows)

    def held_out(self, world: World) -> dict[str, float] | None:
        return None if self.scores is None else {"nll": next(self.scores)}


def loop_of(objective: Pull, *, epochs: int = 3, callbacks: Callbacks | None = None, lr: float = 0.1, **how: Any) -> Loop:
    """A loop of plain gradient steps over it."""
    stepper = Stepper(build(f"sgd:lr={lr}"), objective.network)
    per_epoch = len(objective.steps(0))
    given = {"micro_batch_size": 100, "patience": 100, **how}
    given |= {"schedule": schedule_of("constant"), "clock": Clock(epochs * per_epoch, per_epoch)}
    return Loop(objective, stepper, Reduction(Mean()), callbacks=callbacks or Callbacks(), **given)
