"""The stepper around an optimiser: roles, clipping, the average of weights, sparse gradients, other people's optimisers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.core.errors import Diverged, UsageError
from lossworks.data import Batch, SparseEmbedding
from lossworks.optim import Stepper, build, optimizers, render, roles
from lossworks.penalties import build as penalty_of
from optim.battery import Weights


class Small(nn.Module):
    """An embedding, a norm, a hidden layer and a head, tied to the embedding or not."""

    def __init__(self, *, tied: bool = False, sparse: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 6, sparse=sparse)
        self.norm = nn.LayerNorm(6)
        self.hidden = nn.Linear(6, 6)
        self.unembed = nn.Linear(6, 20, bias=False)
        if tied:
            self.unembed.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.unembed(self.hidden(self.norm(self.embedding(ids))).relu())


def told(model: nn.Module) -> dict[str, str]:
    """Roles by the parameters' names."""
    found = roles(model)
    return {name: found[p] for name, p in model.named_parameters()}


def test_roles() -> None:
    """Embeddings, hidden matrices, vectors, and the last linear layer as the head; a tied head is an embedding."""
    vectors = {"norm.weight": "vector", "norm.bias": "vector", "hidden.bias": "vector"}
    known = {"embedding.weight": "embedding", "hidden.weight": "matrix", **vectors}
    assert told(Small()) == {**known, "unembed.weight": "head"}
    assert told(Small(tied=True)) == known
    named = nn.ModuleDict({"head": nn.Linear(2, 2), "later": nn.Linear(2, 2)})
    norm = nn.ModuleDict({"norm": nn.LayerNorm([3, 4]), "gain": nn.BatchNorm2d(3), "last": nn.Linear(4, 2)})
    norm.token, norm.pos_embed = nn.Parameter(torch.zeros(1, 1, 4)), nn.Parameter(torch.zeros(1, 5, 4))
    found = told(norm)
    assert {found[name] for name in ("norm.weight", "norm.bias", "gain.weight", "token")} == {"vector"}
    assert (found["pos_embed"], found["last.weight"]) == ("embedding", "head")
    assert told(named) == {"head.weight": "head", "head.bias": "vector", "later.weight": "matrix", "later.bias": "vector"}


def test_roles_of_a_transformer_of_others() -> None:
    """A GPT-2 from transformers, whose head is tied to the embedding of its tokens."""
    transformers = pytest.importorskip("transformers")
    small = transformers.GPT2Config(vocab_size=50, n_positions=8, n_embd=8, n_layer=1, n_head=2)
    found = told(transformers.GPT2LMHeadModel(small))
    assert {name for name, role in found.items() if role == "embedding"} == {"transformer.wte.weight", "transformer.wpe.weight"}
    assert found["transformer.h.0.mlp.c_fc.weight"] == "matrix"
    assert found["transformer.h.0.ln_1.weight"] == "vector"
    bert = {"vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    for kind, last in (
        (transformers.BertForSequenceClassification, "classifier"),
        (transformers.RobertaForSequenceClassification, "classifier.out_proj"),
    ):
        found = told(kind(kind.config_class(**bert)))
        assert [name for name, role in found.items() if role == "head"] == [f"{last}.weight"]
        assert all(role != "head" for name, role in found.items() if ".layer." in name)
    llama = transformers.LlamaConfig(
        vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    assert "head" not in told(transformers.LlamaModel(llama)).values()


@pytest.mark.parametrize("spec", ["sgd:lr=0.1", "adagrad:lr=0.1", "adam:lr=0.1"])
def test_clipping(spec: str) -> None:
    """A gradient longer than the norm is cut to it, by rows or whole; a shorter one is left alone; both are counted."""
    clipped, alone = (Weights(torch.tensor([[1.0, -2.0]])) for _ in range(2))
    stepper, plain = Stepper(build(spec), clipped, clip=2.5), Stepper(build(spec), alone)
    for size in (1.0, 4.0):
        for model, factor in ((clipped, 1.0), (alone, 2.5 / math.hypot(3 * size, 4 * size) if size > 0.5 else 1.0)):
            model.matrix.grad = torch.tensor([[3.0, 4.0]]) * size * factor
        stepper.step()
        plain.step()
    clipped.matrix.grad = torch.tensor([[0.3, 0.4]])
    alone.matrix.grad = torch.tensor([[0.3, 0.4]])
    stepper.step()
    plain.step()
    torch.testing.assert_close(clipped.matrix, alone.matrix)
    assert stepper.clipped == 2


@pytest.mark.parametrize("spec", ["sgd", "adamw"])
def test_a_gradient_that_is_not_finite(spec: str) -> None:
    """Where clipping looks at the gradient, one that is not finite stops training before the update."""
    model = Weights(torch.ones(1, 2))
    stepper = Stepper(build(spec), model, clip=1.0)
    model.matrix.grad = torch.tensor([[math.nan, 1.0]])
    with pytest.raises(Diverged, match="step 1"):
        stepper.step()
    assert torch.equal(model.matrix, torch.ones(1, 2))


class Both(nn.Module):
    """A table that batches look up, a matrix and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SparseEmbedding(torch.arange(12.0).view(6, 2) / 10)
        self.matrix = nn.Parameter(torch.eye(2))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, batch: Batch) -> Tensor:
        return self.table(batch) @ self.matrix + self.bias


BAG = Batch(np.array([1, 4, 4], np.int32), np.array([0, 2, 3]), np.ones(3, np.float32), torch.zeros(2), torch.ones(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("spec", "how"),
    [
        *product(("adagrad", "sgd", "adamw", "muon"), ({}, {"clip": 1.0}, {"ema": 0.9})),
        *product(("gradient_descent:line_search=true", "lbfgs"), ({}, {"ema": 0.9})),
    ],
)
def test_a_gradient_that_is_not_finite_changes_nothing(spec: str, how: dict[str, float], bad: float) -> None:
    """Neither weights nor state, by rows, whole and in a search, with and without clipping and examining; and one can go on."""
    optimizer = build(spec)
    model = Both()
    stepper = Stepper(optimizer, model, **how)
    factor = 1.0

    def closure() -> float:
        stepper.zero_grad()
        loss = (model(BAG).square() * torch.tensor([1.0, 2.0])).sum()
        (loss + (factor - 1) * model.bias.sum()).backward()
        return loss.item()

    def step(examine: bool) -> None:
        stepper.train_weights(BAG)
        if not optimizer.needs_closure:
            closure()
        stepper.step(closure=closure, examine=examine)

    step(False)
    before = {k: v.clone() for k, v in (model.state_dict() | stepper.tensors()).items()}
    for factor in (bad, bad):
        with pytest.raises(Diverged, match=r"gradient was not finite at step 2 \(of .*bias.*lower --lr than"):
            step(factor != bad)
        after = model.state_dict() | stepper.tensors()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], value) for name, value in before.items())
    factor = 1.0
    step(True)
    assert stepper.steps == 2
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("spec", ["adagrad", "adam"])
def test_a_row_that_is_not_finite(spec: str) -> None:
    """In a table alone, from a value of the batch, over micro-batches; the next step is as if it had not been."""
    ends = []
    bad = replace(BAG, values=np.array([1, math.inf, 1], np.float32))
    for given in ([bad, BAG], []):
        model = Both()
        stepper = Stepper(build(spec), model)
        for batch in given:
            stepper.train_weights(batch)
            model.table(batch).sum().backward()
        if given:
            with pytest.raises(Diverged, match=r"at step 1 \(of table\.weight\)"):
                stepper.step()
        stepper.train_weights(BAG)
        model.table(BAG).sum().backward()
        stepper.step()
        ends.append(model.table.weight.detach())
    assert torch.equal(*ends)


def test_moving_average() -> None:
    """What eval_weights shows is d · average + (1 - d) · w, worked out by hand; training goes on from its own weights."""
    model = Weights(torch.zeros(1, 1))
    stepper = Stepper(build("sgd:lr=1.0"), model, ema=0.5)
    average, weight = 0.0, 0.0
    for step in range(1, 8):
        stepper.train_weights()
        assert model.matrix.item() == pytest.approx(weight)
        model.matrix.grad = torch.tensor([[-1.0]])
        stepper.step()
        weight += 1.0
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
        stepper.eval_weights()
        assert model.matrix.item() == pytest.approx(average)


def test_examined() -> None:
    """The norm of the whole gradient, and how far each role moved for its size."""
    model = Small()
    stepper = Stepper(build("sgd:lr=0.5"), model)
    nn.functional.cross_entropy(model(torch.arange(4)), torch.arange(4)).backward()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    slopes = {name: p.grad.clone() for name, p in model.named_parameters()}
    health = stepper.step(examine=True)
    assert health is not None
    assert health.gradient_norm == pytest.approx(math.sqrt(sum(float(g.square().sum()) for g in slopes.values())), rel=1e-5)
    expected = 0.5 * float(slopes["hidden.weight"].norm() / before["hidden.weight"].norm())
    assert health.moved["matrix"] == pytest.approx(expected, rel=1e-3)
    assert set(health.moved) == {"matrix", "embedding", "head", "vector"}


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize(
    ("spec", "penalty"),
    [
        *((spec, None) for spec in ("sgd:lr=0.1", "adagrad:lr=0.1", "rmsprop:lr=0.01", "adamw", "sgd:momentum=0.9", "muon")),
        ("adamw:weight_decay=0.3,coupled=true,decay_all=true", None),  # adds to the gradient of rows that were not read
        ("lbfgs", None),
        ("lbfgs", "l2:strength=0.1"),  # so does this
    ],
)
def test_sparse_gradients(spec: str, penalty: str | None, clip: float | None) -> None:
    """An embedding's sparse gradient, made of several passes, leads where the whole one does."""
    if clip and spec == "lbfgs":
        pytest.skip("a search is not clipped")
    ends = []
    for sparse in (True, False):
        model = Small(sparse=sparse)
        stepper = Stepper(build(spec), model, None if penalty is None else penalty_of(penalty), clip=clip)
        for step in range(5):
            stepper.train_weights()

            def make(step: int = step, model: Small = model, stepper: Stepper = stepper) -> float:
                stepper.zero_grad()
                losses = [nn.functional.cross_entropy(model(ids), ids) for ids in torch.tensor([[step, step, 7], [19, step, 8]])]
                for loss in losses:
                    loss.backward()
                return sum(loss.item() for loss in losses)

            make()
            stepper.step(closure=make)
        ends.append(nn.utils.parameters_to_vector(model.parameters()).detach())
        assert stepper.clipped == (5 if clip else 0)
    torch.testing.assert_close(*ends)


def test_sparse_gradients_are_refused_by_name() -> None:
    """With a penalty, which flows on rows before they are read, and by an optimiser of ours without a stepper."""
    model = Small(sparse=True)
    stepper = Stepper(build("sgd"), model, penalty_of("l2"))
    model(torch.arange(3)).sum().backward()
    with pytest.raises(UsageError, match="sparse=True"):
        stepper.step()
    model = Small(sparse=True)
    lion = build("lion").over(model)
    model(torch.arange(3)).sum().backward()
    with pytest.raises(UsageError, match=r"whole gradients.*Stepper"):
        lion.step()


def test_optimizers_of_others() -> None:
    """A PyTorch optimiser, made or to be made, steps as it does alone, and its state goes there and back."""
    ends = []
    for way in ("stepper", "made", "alone"):
        model = Small()
        inner = torch.optim.NAdam(model.parameters(), lr=0.01)
        stepper = Stepper(inner if way == "stepper" else build(lambda p: torch.optim.NAdam(p, lr=0.01)), model)
        for step in range(6):
            nn.functional.cross_entropy(model(torch.arange(4)), torch.arange(4)).backward()
            if way == "alone":
                inner.step()
                inner.zero_grad()
            else:
                stepper.step()
            if way == "made" and step == 2:
                saved = {name: value.clone() for name, value in stepper.tensors().items()}
                stepper = Stepper(build(lambda p: torch.optim.NAdam(p, lr=0.01)), model)
                stepper.load(saved)
        ends.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    assert torch.equal(ends[0], ends[2])
    assert torch.equal(ends[1], ends[2])
    given = build(torch.optim.NAdam)
    assert given.lr == pytest.approx(0.002)
    assert render(given) == "given:NAdam"


@pytest.mark.parametrize("make", [lambda p: 3, lambda: None, lambda p: torch.optim.SGD(p, lr=-1)])
def test_what_makes_no_optimizer(make: Any) -> None:
    """What does not make an optimiser of a list of parameters is refused."""
    with pytest.raises(UsageError, match=r"optimizer|Optimizer"):
        build(make)


def test_what_does_not_go_together() -> None:
    """Norms and decays outside their domain, and nothing to train, are refused."""
    for wrong in ({"clip": 0.0}, {"clip": math.nan}, {"ema": 1.0}, {"ema": 0.0}):
        with pytest.raises(UsageError, match=f"{next(iter(wrong.values()))}"):
            Stepper(build("sgd"), Weights(torch.ones(1, 1)), **wrong)
    frozen = Weights(torch.ones(1, 1)).requires_grad_(False)
    with pytest.raises(UsageError, match="no parameter"):
        Stepper(build("sgd"), frozen)


@pytest.mark.parametrize("evaluated", [False, True])
def test_average_of_many(evaluated: bool) -> None:
    """The average and the weights behind it are loaded into a stepper of more than ten parameters, in any order."""
    ends = []
    for resumed in (False, True):
        torch.manual_seed(0)
        model = nn.ParameterList(nn.Parameter(torch.randn(1, 1)) for _ in range(12))
        stepper = Stepper(build("sgd:lr=0.1"), model, ema=0.9)
        for step in range(6):
            if resumed and step == 3:
                if evaluated:
                    stepper.eval_weights()
                saved = dict(sorted((name, value.clone()) for name, value in stepper.tensors().items()))
                stepper = Stepper(build("sgd:lr=0.1"), model, ema=0.9)
                stepper.load(saved)
            stepper.train_weights()
            for p in model:
                p.grad = p.detach() + 1
            stepper.step()
        stepper.eval_weights()
        ends.append(nn.utils.parameters_to_vector(model).detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize("spec", ["adam:lr=0.1,weight_decay=0.5,coupled=true", "sgd:lr=0.1,weight_decay=0.5", "adamw:lr=0.1"])
def test_decay_with_a_closure(spec: str) -> None:
    """A step that is given a closure, which clears the gradients and makes them, decays as any other."""
    ends = []
    for closes in (False, True):
        model = Weights(torch.full((2, 2), 3.0), torch.ones(2))
        optimizer = build(spec).over(model)

        def closure(model: Weights = model, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = (model.matrix**2).sum() + model.bias.sum()
            loss.backward()
            return loss

        for _ in range(3):
            if closes:
                assert optimizer.step(closure) is not None
            else:
                closure()
                optimizer.step()
        ends.append(model.flat())
    assert torch.equal(*ends)


def test_any_layout_and_shape_is_trained() -> None:
    """A weight that does not lie in rows, and a number of its own, are stepped like any other."""
    for spec in ("sgd:lr=0.1", "adagrad:lr=0.1"):
        model = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
        model.heat = nn.Parameter(torch.tensor(2.0))
        before = [p.detach().clone() for p in model.parameters()]
        stepper = Stepper(build(spec), model)
        (model(torch.ones(1, 3, 4, 4)).sum() * model.heat).backward()
        stepper.step()
        assert all(bool((p != old).all()) for p, old in zip(model.parameters(), before, strict=True))


def test_average_of_half_precision() -> None:
    """An average of bfloat16 weights moves, though each of its steps is below their rounding."""
    model = Weights(torch.ones(1, 1, dtype=torch.bfloat16))
    stepper = Stepper(build("sgd:lr=0.001"), model, ema=0.999)
    with torch.no_grad():
        model.matrix.fill_(2.0)
    for _ in range(3000):
        model.matrix.grad = torch.zeros(1, 1, dtype=torch.bfloat16)
        stepper.step()
    stepper.eval_weights()
    assert model.matrix.item() > 1.9


def test_a_search_turns_back() -> None:
    """Where the loss is no number beyond a wall, a search ends before it, with weights that are numbers."""
    for spec in ("lbfgs", "gradient_descent:line_search=true,lr=100"):
        model = Weights(torch.ones(1, 1, dtype=torch.float64))
        stepper = Stepper(build(spec), model)

        def closure(model: Weights = model) -> float:
            model.zero_grad()
            loss = ((model.matrix - 1.9) ** 2).sum()
            loss.backward()
            return loss.item() if model.matrix.item() < 2 else math.inf

        for _ in range(5):
            stepper.step(closure=closure)
        assert model.matrix.item() == pytest.approx(1.9, abs=0.2)


@pytest.mark.parametrize("name", [entry.name for entry in optimizers])
def test_sparse_gradients_without_a_stepper(name: str) -> None:
    """With PyTorch's own loop: stepped as the whole gradient is, or refused with the remedy, nothing changed."""
    ends = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = nn.Embedding(5, 2, sparse=sparse)
        before, inner = table.weight.detach().clone(), build(name).over(table)

        def closure(table: nn.Embedding = table, inner: Any = inner) -> Tensor:
            inner.zero_grad()
            loss = table(torch.tensor([1, 3])).square().sum()
            loss.backward()
            return loss

        if name == "sophia" and not sparse:
            continue  # asks for curvature first
        with torch.sparse.check_sparse_tensor_invariants():
            if sparse and name not in ("adagrad", "lbfgs"):
                with pytest.raises(UsageError, match=r"needs whole gradients.* sparse one of \(5, 2\).*sparse=True.*Stepper"):
                    inner.step(closure)
                assert torch.equal(table.weight, before)
                return
            inner.step(closure)
        ends.append(table.weight.detach())
    torch.testing.assert_close(*ends)


def test_the_usual_closure_does_not_warn() -> None:
    """It returns the loss as a tensor; warnings are errors here."""
    net, x = nn.Linear(3, 1), torch.eye(3)
    inner = build("lbfgs").over(net)

    def closure() -> Tensor:
        inner.zero_grad()
        loss = (net(x) - 1).square().mean()
        loss.backward()
        return loss

    first = inner.step(closure)
    assert not first.requires_grad
    assert closure().item() < 1e-6 < first.item()


def test_rows_are_for_models_with_tables() -> None:
    """Where nothing has gradients of rows, PyTorch's one pass over whole parameters is some ten times as fast as rows are."""
    dense, tables = nn.Linear(3, 2), nn.Sequential(nn.Embedding(4, 3, sparse=True), nn.Linear(3, 2))
    assert [Stepper(build("sgd"), model).by_rows for model in (dense, nn.Embedding(4, 3), tables)] == [False, False, True]
    assert not Stepper(build("adamw"), tables).by_rows


@pytest.mark.parametrize("spec", ["sgd", "adamw", "lbfgs"])
@pytest.mark.parametrize("sparse", [False, True])
def test_no_gradient_stands_after_a_step(spec: str, sparse: bool) -> None:
    """Or the next one would be added to it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(4, 3, sparse=sparse), nn.Linear(3, 2))
    stepper = Stepper(build(spec), model)

    def closure() -> float:
        stepper.zero_grad()
        loss = model(torch.tensor([1, 3])).square().sum()
        loss.backward()
        return loss.item()

    closure()
    stepper.step(closure=closure if stepper.optimizer.needs_closure else None)
    assert stepper.take_gradient() == [None] * 3
