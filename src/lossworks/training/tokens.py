"""Texts in tokens as the engine trains on them: rows laid out for a network, the losses of their tokens, the held-out nll."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.seeds import generator
from ..data import TokenRows
from ..data.layouts import Layout, Positions, Windows
from ..engine import Losses, Objective
from ..engine.distributed import World, dealt
from ..losses import CategoricalLoss
from ..models import SequenceNetwork
from ..scores import Dense, Fused, Scores
from ..tasks import LanguageModeling
from .config import TrainConfig
from .token_teacher import TokenTeacher

Places = NDArray[np.int64]
_MicroBatch = tuple[TokenRows, Dense | None]  # and what the teacher says of them


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The rows that training is judged by, the shortest first, and how many tokens they have."""

    layout: Windows
    rows: Places
    tokens: int

    @classmethod
    def of(cls, positions: Positions, config: TrainConfig, seed: int) -> HeldOut:
        """All of them, or as many as the configuration says."""
        layout = Windows(positions, config.window, shifted=False)
        rows = np.arange(len(layout))
        if config.eval_tokens is not None:
            rows = generator(seed, "judged").permutation(rows)
            enough = int(np.searchsorted(np.cumsum(layout.lengths[rows]), config.eval_tokens)) + 1
            rows = np.sort(rows[:enough])
        return cls(layout, rows, int(layout.lengths[rows].sum()))


@dataclass
class TokenObjective(Objective):
    """A network over rows of tokens. batch_tokens: of a step, with their padding. teacher: what the loss compares with."""

    network: SequenceNetwork
    loss: CategoricalLoss
    layout: Layout
    held_out_rows: HeldOut | None
    batch_tokens: int
    micro_batch_size: int
    seed: int
    teacher: TokenTeacher | None = None
    stop_by: str | None = None
    unit: ClassVar[str] = "tokens"  # type: ignore[misc]
    _place: torch.device | None = field(default=None, init=False)

    @property
    def metric(self) -> str:  # type: ignore[override]
        """What training is judged by."""
        return "accuracy" if self.stop_by == "accuracy" else LanguageModeling.held_out_metric

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        if self._place is None:
            self._place = next(self.network.parameters()).device
        return self._place

    def steps(self, epoch: int) -> Sequence[Places]:
        return self.layout.steps(self.batch_tokens, epoch)

    def share(self, rows: Places, world: World, shard: int) -> Places:
        return rows[dealt(len(rows), world, shard)]

    def weight(self, rows: Places) -> float:
        return float(self.layout.lengths[rows].sum())

    def size(self, rows: Places) -> int:
        return int(self.layout.lengths[rows].sum())

    ids = size

    def micro_batches(self, rows: Places, epoch: int, size: int) -> Iterator[_MicroBatch]:
        for part in self.layout.parts(rows, size):
            taken = self.layout.take(part, epoch).to(self.device)
            yield taken, None if self.teacher is None else self.teacher.scores(part, epoch, taken)

    def smallest(self, rows: Places) -> int:
        return int(self.layout.lengths[rows].max())

    def largest(self, rows: Places) -> int:
        return self.smallest(rows) * len(rows)

    def losses(self, batch: _MicroBatch) -> Losses:
        scores = self.network.scores(*batch)
        values = scores.values(self.loss) if isinstance(scores, Fused) else self.loss(scores)
        languages = batch[0].languages
        groups = None if languages is None else languages[batch[0].inside]
        return Losses(values, torch.ones_like(values), groups)

    def sampled_losses(self, batch: _MicroBatch) -> Tensor:
        scores = self.network.scores(batch[0])
        return -scores.logp_of(torch.multinomial(scores.logits.detach().softmax(-1), 1))

    def longest(self, count: int) -> Places:
        return np.argsort(-self.layout.lengths, kind="stable")[:count]

    @torch.no_grad()
    def held_out(self, world: World) -> dict[str, float] | None:
        if (found := self.held_out_rows) is None:
            return None
        self.network.eval()
        parts = found.layout.parts(found.rows, self.micro_batch_size)
        mine = (part for number, part in enumerate(parts) if world.takes(number))
        together = world.together(mine, lambda: found.rows[:1])
        scores = ((self.network.scores(found.layout.take(part, 0).to(self.device)), counts) for part, counts in together)
        sums = [self._judged(each) for each, counts in scores if counts]
        every = world.in_turn(torch.tensor(sums, dtype=torch.float64, device=self.device)).reshape(-1, 2).T.tolist()
        nll, accuracy = (math.fsum(each) / found.tokens for each in every)
        return {LanguageModeling.held_out_metric: nll} | ({"accuracy": accuracy} if self.metric == "accuracy" else {})

    def _judged(self, scores: Scores) -> list[float]:
        """Of some rows the sum of -log p, and, where training is judged by that, how many tokens are the most probable ones."""
        hits = int((scores.argmax == scores.target).sum()) if self.metric == "accuracy" else 0
        return [float(-scores.logp.double().sum()), hits]

    def carry(self) -> list[Tensor]:
        return self.network.carry()

    def load_carry(self, carry: list[Tensor]) -> None:
        self.network.load_carry(carry)
