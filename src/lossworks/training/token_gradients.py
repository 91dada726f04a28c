"""The gradient of a step over tokens: in parts that fit into memory, and of all processes together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import OutOfMemory
from ..core.seeds import derive
from ..engine.distributed import World
from ..engine.reduction import Reduction
from ..losses import CategoricalLoss
from ..models import SequenceNetwork
from ..optim import Stepper
from ..risks.mean import Mean
from ..scores import Scores
from ..tasks import Task
from .gradients import with_less
from .layouts import Layout

T = TypeVar("T")
SCORES = 1 << 24
"""Scores of tokens that stand in memory at once."""


@dataclass(slots=True)
class TokenGradients:
    """Makes the gradients of steps stand in ``network``'s parameters. ``room``: tokens whose scores stand in memory at once."""

    network: SequenceNetwork
    loss: CategoricalLoss
    stepper: Stepper
    layout: Layout
    seed: int
    world: World
    room: int
    told: Callable[[int], None] = lambda room: None  # when it had to become smaller
    reduction: Reduction = field(default_factory=lambda: Reduction(Mean(), Task("regress")))

    def make(self, rows: NDArray[np.int64], total: float, epoch: int, step: int) -> float:
        """The gradient of the mean loss of all processes' rows, ``total`` tokens, of which ``rows`` are this one's.

        Returns this process's sum of losses. What the network carries from step to step is then as after the rows.

        Raises:
            OutOfMemory: a single row does not fit.
        """

        def run() -> float:
            torch.manual_seed(derive(self.seed, "step", step, *([self.world.rank] if self.world.rank else [])))
            amount = 0.0
            for scores in self.scores(self.layout, rows, epoch, training=True):
                values = self.loss.values(scores)
                amount += self.reduction.add(values, torch.ones_like(values), scores.target, total)
            return amount

        return self._of_all(rows, run)

    def curvature(self, rows: NDArray[np.int64], total: float, epoch: int, step: int) -> None:
        """Have the stepper observe the curvature: the gradient of the mean -log p of tokens that the network itself draws."""
        memory = [each.clone() for each in self.network.carry()]

        def run() -> None:
            torch.manual_seed(derive(self.seed, "curvature", step, *([self.world.rank] if self.world.rank else [])))
            for scores in self.scores(self.layout, rows, epoch, training=True):
                drawn = torch.multinomial(scores.logits.detach().softmax(-1), 1)
                (-scores.logp_of(drawn).sum() / total).backward()  # type: ignore[no-untyped-call]

        self._of_all(rows, run)
        self.network.load_carry(memory)
        self.stepper.observe_curvature(int(total))

    def scores(self, of: Layout, rows: NDArray[np.int64], epoch: int, *, training: bool) -> Iterator[Scores]:
        """The scores of some rows, in as many parts as memory asks for."""
        for part in of.parts(rows, self.room):
            if training:
                self.stepper.train_weights()
            yield self.network.scores(of.take(part, epoch).to(self.device))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def _of_all(self, rows: NDArray[np.int64], run: Callable[[], T]) -> T:
        """Run it, with less in memory where that runs out, and sum the gradients over the processes."""
        memory = [each.clone() for each in self.network.carry()]
        self.stepper.zero_grad()

        def lessen(reason: str) -> None:
            self.stepper.zero_grad()
            self.reduction.forget()
            self.network.load_carry([each.clone() for each in memory])
            self._lessen(rows, reason)

        found = with_less(run, lessen)
        self.world.sum_gradients(self.network.parameters())
        return found

    def _lessen(self, rows: NDArray[np.int64], reason: str) -> None:
        longest = int(self.layout.lengths[rows].max())
        self.room = min(self.room, longest * len(rows)) // 2
        if self.room < longest:
            raise OutOfMemory(
                f"out of memory with a single row of {longest:,} tokens ({reason}). Try a smaller model or context."
            )
        self.told(self.room)
