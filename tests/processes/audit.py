"""The gradient of a step by a world of processes against that of plain autograd on all rows at once, in float64.

``python bench/parity.py`` goes through all losses, risks and ways of accumulating; the test through some.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from losses.case import Case
from losses.odd import cases
from lossworks.engine import Losses, Objective
from lossworks.engine.distributed import World, dealt
from lossworks.engine.reduction import Reduction
from lossworks.engine.step import Gradients
from lossworks.losses import CategoricalLoss, RegressionLoss, losses
from lossworks.optim import Stepper, build
from lossworks.risks import build as risk_of
from lossworks.scores import Dense

ROWS, WORDS, WIDTH, GROUPS = 11, 7, 3, 4  # 11 rows in 12 shards: one has none
RISKS = ("mean", "cvar:alpha=0.35", "group_dro:step=0.5", "worst_group")


class Small(nn.Module):
    """A table that is read by rows, a layer, a single number (fewer elements than processes), and a weight that nobody reads."""

    def __init__(self, outputs: int, sparse: bool) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(3)
        self.table = nn.Embedding(WORDS, WIDTH, sparse=sparse, dtype=torch.float64)
        self.head = nn.Linear(WIDTH, outputs, dtype=torch.float64)
        self.scale = nn.Parameter(torch.tensor([1.3], dtype=torch.float64))
        self.unread = nn.Parameter(torch.ones(5, dtype=torch.float64))
        for p in self.parameters():
            p.data.copy_(torch.randn(p.shape, generator=draws, dtype=torch.float64))

    def forward(self, ids: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.table(ids) * self.scale)
        return outputs


class Audited(Objective):
    """Eleven rows, one of which weighs nothing, two of which are equal."""

    metric, unit, seed = "nll", "examples", 0

    def __init__(self, case: Case, sparse: bool, room: int = ROWS) -> None:
        self.room = room  # rows that memory holds at once
        self.case, draws = case, torch.Generator().manual_seed(1)
        self.outcomes = isinstance(case.loss, CategoricalLoss)
        self.network = Small(case.classes if self.outcomes else 1, sparse)
        self.words = torch.randint(WORDS, (ROWS,), generator=draws)
        self.target = torch.randint(case.classes, (ROWS,), generator=draws)
        self.words[4], self.target[4] = self.words[9], self.target[9]
        self.weight_of = torch.rand(ROWS, generator=draws, dtype=torch.float64) + 0.5
        self.weight_of[2] = 0.0
        self.group = torch.arange(ROWS) % GROUPS
        torch.manual_seed(0)
        self.beside: dict[str, Any] = case.beside(self.target, case.classes) if case.beside else {}

    def steps(self, epoch: int) -> Sequence[Tensor]:
        return [torch.arange(ROWS)]

    def share(self, rows: Tensor, world: World, shard: int) -> Tensor:
        return rows[dealt(len(rows), world, shard)]

    def weight(self, rows: Tensor) -> float:
        return float(self.weight_of[rows].sum())

    def size(self, rows: Tensor) -> int:
        return len(rows)

    ids = largest = size

    def smallest(self, rows: Tensor) -> int:
        return 1

    def micro_batches(self, rows: Tensor, epoch: int, size: int) -> Iterator[Tensor]:
        return iter(torch.split(rows, size) if len(rows) else ())

    def values(self, rows: Tensor) -> Tensor:
        outputs = self.network(self.words[rows])
        if not self.outcomes:
            beside = {"teacher": self.target[rows].double() + 0.5} if self.case.loss.needs == "teacher" else {}
            return self.case.loss.errors(outputs[:, 0], self.target[rows].double(), **beside)
        whole = Dense(torch.zeros(ROWS, self.case.classes, dtype=torch.float64), self.target, **self.beside)
        return self.case.loss(Dense(outputs, *whole._given_at(rows)))

    def losses(self, batch: Tensor) -> Losses:
        if len(batch) > self.room:
            raise MemoryError("no room")
        return Losses(self.values(batch), self.weight_of[batch], self.group[batch])

    def sampled_losses(self, batch: Tensor) -> Tensor:
        return self.values(batch)

    def longest(self, count: int) -> Tensor:
        return torch.arange(count)

    def held_out(self, world: World) -> None:
        return None


def every_case() -> dict[str, Case]:
    """Of all losses over outcomes or numbers, with their odd parameters."""
    kinds = CategoricalLoss, RegressionLoss
    found = {spec: case for entry in losses if issubclass(entry.thing, kinds) for spec, case in cases(entry.name).items()}
    return {spec: case for spec, case in found.items() if not getattr(case.loss, "positions_interact", False)}


def made(case: Case, risk: str, micro: int | list[int], sparse: bool, world: World, room: int = ROWS) -> list[Tensor]:
    """The gradients after a second step, the amount and risk of both, what the risk remembers, and the micro-batches' sizes."""
    audited = Audited(case, sparse, room)
    stepper, reduction = Stepper(build("adam:lr=0.1"), audited.network), Reduction(risk_of(risk), GROUPS)
    gradients = Gradients(audited, stepper, reduction, world, micro if isinstance(micro, list) else [micro] * world.shards)
    rows, told = torch.arange(ROWS), list[float]()
    for step in range(2):
        stepper.zero_grad()
        found = gradients.make(rows, audited.weight(rows), 0, step)
        told += [found.amount, found.risk]
    return [
        *map(_whole, audited.network.parameters()),
        torch.tensor(told, dtype=torch.float64),
        reduction.state,
        torch.tensor(gradients.sizes),
    ]


def wanted(case: Case, risk: str) -> list[Tensor]:
    """The same without an engine."""
    audited, rows = Audited(case, sparse=False), torch.arange(ROWS)
    combined, state, told = risk_of(risk), None, list[float]()
    state = combined.start(GROUPS)
    for _ in range(2):
        audited.network.zero_grad()
        values = audited.values(rows)
        total, state = combined.combine(values, audited.weight_of, audited.group if combined.grouped else None, state)
        total.backward()
        amount = float((values.detach() * audited.weight_of).sum())
        told += [amount, float(total.detach())]
    return [*map(_whole, audited.network.parameters()), torch.tensor(told, dtype=torch.float64), state]


def combinations(specs: Sequence[str]) -> Iterator[tuple[str, str, int, bool]]:
    """Loss, risk, rows a micro-batch, and whether the table's gradient is one of rows."""
    return ((spec, risk, micro, sparse) for spec, risk, (micro, sparse) in product(specs, RISKS, ((100, False), (1, True))))


def _whole(p: Tensor) -> Tensor:
    if p.grad is None:
        return torch.empty(0, dtype=p.dtype)
    return (p.grad.to_dense() if p.grad.is_sparse else p.grad).clone()
