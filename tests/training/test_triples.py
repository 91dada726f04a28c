"""Facts as the engine trains on them: steps of queries, their losses, what they are judged by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lossworks.data.triples import Names, Queries
from lossworks.engine.distributed import World
from lossworks.inference import KnowledgeGraph
from lossworks.losses import CategoricalLoss, build
from lossworks.models import build_graph
from lossworks.training.triples import TripleObjective

V, R = 9, 2
FACTS = np.array([[i, r, (i + r + 1) % V] for r in range(R) for i in range(V)] + [[0, 0, 5], [0, 0, 7]])
VALID = np.array([[0, 0, 3], [0, 0, 6], [2, 1, 8]])


def objective(model: str = "complex:dim=4,n3=0.2", loss: str = "cross_entropy", **more: Any) -> TripleObjective:
    """A small one over the facts."""
    network = build_graph(model).network(V, R, 0).double()
    graph = KnowledgeGraph(Names(tuple("abcdefghi"), tuple("rs")), network, np.concatenate([FACTS, VALID]), len(FACTS))
    built = build(loss)
    assert isinstance(built, CategoricalLoss)
    known = Queries.of(graph.facts, R)
    return TripleObjective(graph, built, Queries.of(FACTS, R), VALID, known, **{"batch_size": 5, "seed": 3, **more})


def logits(made: TripleObjective, head: int, relation: int) -> torch.Tensor:
    """Of one query, over all entities."""
    table, at = made.network.table(), torch.tensor([head])
    return made.network.logits(at, table[at], torch.tensor([relation]), table)


def test_steps() -> None:
    """Every query once an epoch, in an order of its own; a step weighs as many examples as its queries have answers."""
    made = objective()
    steps = made.steps(0)
    assert sorted(np.concatenate(steps).tolist()) == list(range(len(made.queries)))
    assert [len(step) for step in steps][:-1] == [5] * (len(steps) - 1)
    assert not np.array_equal(np.concatenate(steps), np.concatenate(made.steps(1)))
    assert np.array_equal(np.concatenate(steps), np.concatenate(objective().steps(0)))
    assert sum(map(made.size, steps)) == 2 * len(FACTS)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal:gamma=2", "cross_entropy:label_smoothing=0.1"])
def test_losses(loss: str) -> None:
    """Each fact's loss is that of its query's scores over all entities, and its own penalty; micro-batches cut no query."""
    made = objective(loss=loss)
    (rows,) = objective(batch_size=100).steps(0)
    found: list[float] = []
    facts: list[tuple[int, int, int]] = []
    for batch in made.micro_batches(rows, 0, 4):
        assert len(batch.head) <= 4
        found += made.losses(batch).values.tolist()
        facts += zip(batch.head[batch.row].tolist(), batch.relation[batch.row].tolist(), batch.tail.tolist(), strict=True)
    assert sorted(facts) == sorted([*map(tuple, FACTS.tolist()), *((t, r + R, h) for h, r, t in FACTS.tolist())])
    for (head, relation, tail), value in zip(facts, found, strict=True):
        one = torch.tensor([head]), torch.tensor([relation]), torch.tensor([0]), torch.tensor([tail])
        _, penalty = made.network.scored(*one)
        assert penalty is not None
        want = made.loss(logits(made, head, relation), one[3]) + penalty
        assert value == pytest.approx(want.item())


def test_held_out() -> None:
    """The mean reciprocal rank over heads and tails, by its definition; known answers do not count, training ones or others."""
    made = objective()
    ranks = []
    true = {tuple(fact) for fact in made.graph.facts.tolist()}
    for h, r, t in VALID.tolist():
        tails = logits(made, h, r)[0]
        heads = logits(made, t, r + R)[0]
        ranks.append(1 + sum((h, r, v) not in true and tails[v] > tails[t] for v in range(V)))
        ranks.append(1 + sum((v, r, t) not in true and heads[v] > heads[h] for v in range(V)))
    found = made.held_out(World())
    assert found is not None
    assert found["mrr"] == pytest.approx(np.mean([1 / float(rank) for rank in ranks]))
    assert found["hits_at_10"] == 1
    nothing = objective()
    nothing.valid = VALID[:0]
    assert nothing.held_out(World()) is None


def test_sampled_targets() -> None:
    """Targets that the network draws itself: as many as there are facts, with a gradient."""
    made = objective()
    (batch,) = made.micro_batches(np.arange(4), 0, 10)
    torch.manual_seed(0)
    values = made.sampled_losses(batch)
    assert values.shape[0] == len(batch.tail)
    values.sum().backward()  # type: ignore[no-untyped-call]
    assert made.network.table().grad is not None
