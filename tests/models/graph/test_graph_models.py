"""What every family of models of knowledge graphs owes: its formula, its files, any loss, entities drawn in the place of all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.core.errors import RecordError, UsageError
from lossworks.data.features import Selected
from lossworks.data.triples import Names
from lossworks.inference import KnowledgeGraph
from lossworks.models import GraphNetwork, GraphSpec, build, build_graph, is_graph, models, render
from lossworks.models.glosses import Glosses

V, R, DIM = 7, 3, 4
NAMES = [entry.name for entry in models if issubclass(entry.thing, GraphSpec)]
HEAD, RELATION = torch.tensor([0, 3, 3]), torch.tensor([1, 5, 0])
ROW, TAIL = torch.tensor([0, 1, 1, 2]), torch.tensor([4, 3, 6, 4])


def complex_of(vector: Tensor) -> Tensor:
    """Real parts, and after them imaginary ones, as complex numbers."""
    return torch.complex(*vector.chunk(2, -1))


def turned(h: Tensor, r: Tensor, t: Tensor) -> Tensor:
    """RotatE's score."""
    moved = complex_of(h) * torch.polar(torch.ones_like(r), r)
    return -(moved - complex_of(t)).abs().square().sum()


FORMULAS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "complex": lambda h, r, t: (complex_of(h) * complex_of(r) * complex_of(t).conj()).sum().real,
    "distmult": lambda h, r, t: (h * r * t).sum(),
    "transe": lambda h, r, t: -(h + r - t).square().sum(),
    "rotate": turned,
}
"""Each as its source has it."""


def network(name: str, more: str = "") -> GraphNetwork:
    """A small one, in float64."""
    return build_graph(f"{name}:dim={DIM},scale=0.7{more}").network(V, R, seed=1).double()


def described() -> GraphNetwork:
    """One whose entities are told by words, the last by none; that an answer is the question has weights of its own."""
    made = network("complex", ",negatives=5")
    lengths = np.array([2, 1, 2, 1, 1, 2, 0])
    ids, values = np.array([0, 1, 2, 0, 2, 1, 2, 1, 0], np.uint32), np.linspace(0.3, 0.9, 9, dtype=np.float32)
    made.describe(Selected(ids, values, np.cumsum(lengths) - lengths, lengths), 3, seed=2)
    part = made.double().described
    assert part is not None
    assert isinstance(part.entities, Glosses)
    nn.init.normal_(part.entities.loops.weight, std=2.0)
    return part


def logits(made: GraphNetwork) -> Tensor:
    """Of the queries, over all entities."""
    table = made.table()
    return made.logits(HEAD, table[HEAD], RELATION, table)


@pytest.mark.parametrize("name", NAMES)
def test_formula(name: str) -> None:
    """Log-probabilities over all entities are those of the formula, whatever the product leaves out that is the same for all."""
    made = network(name)
    found = logits(made).log_softmax(-1)
    for query, (head, relation) in enumerate(zip(HEAD, RELATION, strict=True)):
        vectors = made.entities.weight[head], made.relations.weight[relation]
        want = torch.stack([FORMULAS[name](*vectors, tail) for tail in made.entities.weight]).log_softmax(-1)
        torch.testing.assert_close(found[query], want)


@pytest.mark.parametrize("name", NAMES)
def test_first_weights(name: str) -> None:
    """They are a function of the seed alone, with 2R relations, and the spec spells itself."""
    spec = build_graph(f"{name}:dim={DIM}")
    one, other = spec.network(V, R, 0), spec.network(V, R, 1)
    assert torch.equal(one.table(), spec.network(V, R, 0).table())
    assert not torch.equal(one.table(), other.table())
    assert (one.table().shape[0], one.relations.weight.shape[0]) == (V, 2 * R)
    assert build_graph(render(spec)) == spec
    assert is_graph(name)
    with pytest.raises(UsageError, match="as a model"):
        build(name)


@pytest.mark.parametrize("name", NAMES)
def test_answers(name: str) -> None:
    """Scores of answers are those of their queries among all entities."""
    made = network(name)
    scores, _ = made.scored(HEAD, RELATION, ROW, TAIL)
    want = logits(made).log_softmax(-1)[ROW, TAIL]
    torch.testing.assert_close(scores.logp, want)


@pytest.mark.parametrize("name", [*NAMES, "described"])
def test_drawn_entities(name: str) -> None:
    """With entities drawn in the place of all, the normaliser is right on average; the gradient is of rows where asked."""
    made = network(name, ",negatives=5") if name in NAMES else described()
    want = logits(made)
    others = want.exp().sum(-1)[ROW] - want[ROW, TAIL].exp()
    torch.manual_seed(0)
    drawn = []
    for _ in range(600):
        scores, _ = made.scored(HEAD, RELATION, ROW, TAIL)
        drawn.append((scores.logsumexp.exp() - scores.logits[:, 0].exp()).detach())
    sums = torch.stack(drawn)
    error = (sums.mean(0) - others).abs() / (sums.std(0) / 600**0.5)
    assert (error < 4.5).all(), error
    if isinstance(made.entities, Glosses):
        return
    made.entities.sparse = made.relations.sparse = True
    made.scored(HEAD, RELATION, ROW, TAIL)[0].logp.sum().backward()  # type: ignore[no-untyped-call]
    grad = made.entities.weight.grad
    assert grad is not None
    assert grad.is_sparse


@pytest.mark.parametrize(("name", "cubes"), [("complex", lambda x: complex_of(x).abs()), ("distmult", torch.abs)])
def test_n3(name: str, cubes: Callable[[Tensor], Tensor]) -> None:
    """The nuclear 3-norm of each fact's own three vectors; 0 is none; at 0 it still has a gradient."""
    made = network(name, ",n3=0.3")
    rows = made.entities.weight[HEAD[ROW]], made.relations.weight[RELATION[ROW]], made.entities.weight[TAIL]
    want = 0.3 * torch.stack([cubes(each).pow(3).sum(-1) for each in rows]).sum(0)
    found = made.scored(HEAD, RELATION, ROW, TAIL)[1]
    assert found is not None
    torch.testing.assert_close(found, want)
    with torch.no_grad():
        made.entities.weight.zero_()
    again = made.scored(HEAD, RELATION, ROW, TAIL)[1]
    assert again is not None
    again.sum().backward()  # type: ignore[no-untyped-call]
    assert made.entities.weight.grad is not None
    assert made.entities.weight.grad.isfinite().all()
    assert network(name, ",n3=0").scored(HEAD, RELATION, ROW, TAIL)[1] is None


@pytest.mark.parametrize("keys", ["dim=0", "scale=0", "negatives=-1", "n3=-1", "n3=nan"])
def test_domains(keys: str) -> None:
    """A value outside its domain is refused by name."""
    with pytest.raises(UsageError, match=f"{keys.partition('=')[0]} is"):
        build_graph(f"complex:{keys}")


@pytest.mark.parametrize("name", NAMES)
def test_files(name: str, tmp_path: Path) -> None:
    """What is saved is what is loaded, to the bit; files that do not fit one another are refused."""
    made = build_graph(f"{name}:dim={DIM}").network(V, R, 0)
    graph = KnowledgeGraph(Names(tuple("abcdefg"), tuple("rst")), made, np.array([[0, 1, 2], [6, 0, 0]]), 1)
    graph.save(tmp_path)
    again = KnowledgeGraph.load(tmp_path)
    assert (again.names, again.trained, again.facts.tolist()) == (graph.names, 1, graph.facts.tolist())
    asked = np.array([0, 3]), np.array([1, 5])
    assert np.array_equal(again.answering()(*asked), graph.answering()(*asked))
    config = (tmp_path / "config.json").read_text()
    for before, after in (('"g"', '"g", "h"'), (f"dim={DIM}", "dim=5"), ('"trained": 1', '"trained": 3'), ('"s",', "")):
        assert before in config
        (tmp_path / "config.json").write_text(config.replace(before, after))
        with pytest.raises(RecordError, match=str(tmp_path)):
            KnowledgeGraph.load(tmp_path)
