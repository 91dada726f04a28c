"""Facts as the engine trains on them: queries with all their answers, scored against every entity; the held-out ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data import epoch_order
from ..data.triples import Ints, Queries
from ..engine import Losses, Objective
from ..engine.distributed import World, dealt
from ..inference.graph import KnowledgeGraph
from ..losses import CategoricalLoss
from ..models import GraphNetwork
from ..tasks import GraphCompletion
from .drawing import cut

_HITS = {"hits_at_1": 1, "hits_at_3": 3, "hits_at_10": 10}


class Facts(NamedTuple):
    """A micro-batch: queries [U], and of each of their N facts the query and the answer."""

    head: Tensor
    relation: Tensor
    row: Tensor
    tail: Tensor


@dataclass
class TripleObjective(Objective):
    """A graph's network on its training facts. A row is a query, with all its answers, each of which is an example: a query is
    scored against all entities but once.

    queries: of the training facts. valid [N, 3]: facts to judge by, maybe none; known: all facts, which ranks leave out.
    batch_size: queries a step.
    """

    graph: KnowledgeGraph
    loss: CategoricalLoss
    queries: Queries
    valid: Ints
    known: Queries
    batch_size: int
    seed: int
    stop_by: str | None = None
    unit: ClassVar[str] = "examples"  # type: ignore[misc]

    @property
    def metric(self) -> str:  # type: ignore[override]
        """What training is judged by."""
        return self.stop_by or GraphCompletion.held_out_metric

    @property
    def network(self) -> GraphNetwork:  # type: ignore[override]
        """What is trained."""
        return self.graph.network

    def steps(self, epoch: int) -> Sequence[Ints]:
        return list(cut(epoch_order(self.seed, epoch, len(self.queries)), self.batch_size))

    def share(self, rows: Ints, world: World, shard: int) -> Ints:
        return rows[dealt(len(rows), world, shard)]

    def weight(self, rows: Ints) -> float:
        return float(self.size(rows))

    def size(self, rows: Ints) -> int:
        return int(self.queries.counts[rows].sum())

    ids = size

    def micro_batches(self, rows: Ints, epoch: int, size: int) -> Iterator[Facts]:
        """At most ``size`` queries each."""
        for part in cut(rows, size):
            places, row = self.queries.spread(part)
            arrays = self.queries.head[part], self.queries.relation[part], row, self.queries.tails[places]
            yield Facts(*(torch.from_numpy(array).to(self.device) for array in arrays))

    def smallest(self, rows: Ints) -> int:
        return 1

    def largest(self, rows: Ints) -> int:
        return len(rows)

    def losses(self, batch: Facts) -> Losses:
        values = torch.zeros(len(batch.tail), device=self.device)
        for part in self.network.parts:
            scores, penalties = part.scored(*batch)
            own = self.loss(scores)
            values = values + (own if penalties is None else own + penalties)
        return Losses(values, torch.ones_like(values))

    def sampled_losses(self, batch: Facts) -> Tensor:
        found = []
        for part in self.network.parts:
            scores, _ = part.scored(*batch)
            found.append(-scores.logp_of(torch.multinomial(scores.logits.detach().softmax(-1), 1)))
        return torch.stack(found).sum(0)

    def longest(self, count: int) -> Ints:
        return np.argsort(-self.queries.counts, kind="stable")[:count]

    def held_out(self, world: World) -> dict[str, float] | None:
        """The mean reciprocal rank, and shares of hits."""
        if not len(self.valid):
            return None
        found = self.graph.ranks(self.valid, self.known)
        hits = dict.fromkeys(("hits_at_10", *({self.metric} & _HITS.keys())))
        return {"mrr": float((1 / found.rank).mean())} | {name: float(found.hits(_HITS[name]).mean()) for name in hits}
