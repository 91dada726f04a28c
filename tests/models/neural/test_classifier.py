"""Classifiers by an encoder: what a text's neighbours and padding do to it (nothing), memory, roles, and what they can learn."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lossworks
from lossworks.data import Batch
from lossworks.models import build, build_language
from lossworks.models.neural import Classifier, EncoderSpec
from lossworks.models.neural import classifier as room
from lossworks.models.transformer import TransformerEncoderSpec
from lossworks.optim.roles import roles
from lossworks.tasks import label_task
from lossworks.training import Settings
from lossworks.training.resolving import for_examples

pytestmark = pytest.mark.usefixtures("once")

SPECS = [
    "transformer_encoder:dim=16,heads=2,window=3",
    "transformer_encoder:dim=16,heads=2,pooling=first",
    "rnn_encoder:dim=8,layers=2,cell=lstm",
    "rnn_encoder:dim=8,cell=gru,pooling=last",
]
V = 30
NOTHING = torch.empty(0)


def made(spec: str, seed: int = 0) -> Classifier:
    """A network of a spec, its weights large enough that what is wrong shows."""
    network = build(spec).network(V, 3, seed)
    assert isinstance(network, Classifier)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    return network


def batch_of(lengths: list[int], seed: int = 0) -> Batch:
    """Rows of random tokens."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(seed).integers(0, V, offsets[-1]).astype(np.uint32)
    return Batch(ids, offsets, np.empty(0, np.float32), NOTHING, NOTHING)


def row_of(batch: Batch, row: int) -> Batch:
    """The batch of one of its rows."""
    ids = batch.ids[batch.offsets[row] : batch.offsets[row + 1]]
    return Batch(ids, np.array([0, len(ids)]), batch.values, NOTHING, NOTHING)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("at_once", [1, 40, 10_000])
def test_neighbours_do_not_matter(spec: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row has the outputs that it has alone, with a gradient and without, however many are worked on at once."""
    monkeypatch.setattr(room, "_AT_ONCE", at_once)
    network, batch = made(spec).eval(), batch_of([3, 1, 20, 7, 1, 20, 2])
    with torch.no_grad():
        alone = torch.cat([network(row_of(batch, row)) for row in range(len(batch))])
        together = network(batch)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(batch).detach(), alone, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert network(batch_of([])).shape == (0, 3)


@pytest.mark.parametrize("spec", SPECS)
def test_gradient_is_finite(spec: str) -> None:
    """Short rows beside long ones, most of it padding that no window reaches: every weight has a finite gradient."""
    network = made(spec).train()
    network(batch_of([40, 1, 2])).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_no_more_at_once_than_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a gradient the padded rows worked on at once stay within bounds, but for a single longer one; none is left out."""
    monkeypatch.setattr(room, "_AT_ONCE", 32)
    seen: list[tuple[int, int]] = []
    network, batch = made(SPECS[0]).eval(), batch_of([5] * 9 + [1] * 50 + [40, 8])

    def note(ids: Tensor, lengths: Tensor) -> Tensor:
        seen.append((ids.shape[0], ids.shape[1]))
        return torch.zeros(len(ids), 3)

    network.outputs = note  # type: ignore[method-assign]
    with torch.no_grad():
        network(batch)
    assert sum(rows for rows, _ in seen) == len(batch)
    assert all(rows * length <= 32 or rows == 1 for rows, length in seen)
    assert len(seen) <= 6


@pytest.mark.parametrize(("context", "rows"), [(256, 64), (16, 1024), (2, 4096), (50_000, 1)])
def test_micro_batches_by_context(context: int, rows: int) -> None:
    """A step's rows are made in parts that memory has room for, however long the texts may be; as told where told."""
    spec = f"transformer_encoder:context={context}"
    task = label_task("classify", ("a", "b"))

    def micro_batch(**settings: Any) -> object:
        return for_examples(Settings(batch_size=5000, **settings), task, 9000).micro_batch

    assert micro_batch(model=spec) == min(5000, rows)
    assert micro_batch(model=spec, micro_batch=77) == 77
    assert micro_batch(model="bag") == 4096


@pytest.mark.parametrize("spec", SPECS)
def test_roles(spec: str) -> None:
    """The table of tokens is an embedding, the last layer a head, all between matrices, gains and biases vectors."""
    network = made(spec)
    found = {name: roles(network)[parameter] for name, parameter in network.named_parameters()}
    assert [name for name, role in found.items() if role == "head"] == ["head.weight"]
    assert sum(role == "embedding" for role in found.values()) == 1
    for name, role in found.items():
        if role not in ("head", "embedding"):
            assert role == ("matrix" if dict(network.named_parameters())[name].ndim == 2 else "vector"), name


def test_dropout_is_on_the_vector_once() -> None:
    """The Transformer's text vector is dropped by the last layer; the recurrent encoder drops its own states."""
    assert TransformerEncoderSpec(dropout=0.4).last_dropout == 0.4
    for name in ("transformer_encoder", "rnn_encoder"):
        network = build(f"{name}:dim=8,dropout=0.5").network(V, 3, 0).train()
        batch = batch_of([4, 9])
        assert not torch.equal(network(batch), network(batch))
        assert torch.equal(network.eval()(batch), network(batch))


def test_word_dropout() -> None:
    """While training that share of the tokens is read as token 0, others each time, and none afterwards."""
    network = build("rnn_encoder:dim=4,dropout=0,input_dropout=0,embedding_dropout=0,word_dropout=0.3").network(V, 2, 0)
    assert isinstance(network, Classifier)
    seen: list[Tensor] = []
    network.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    ids, lengths = torch.full((50, 40), 7), torch.full((50,), 40)
    for training in (True, True, False):
        network.train(training).outputs(ids, lengths)
    assert set(seen[0].unique().tolist()) == {0, 7}
    assert abs((seen[0] == 0).float().mean() - 0.3) < 0.03
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[2], ids)


@pytest.mark.parametrize("spec", ["transformer_encoder:dim=32,dropout=0.1,word_dropout=0", "rnn_encoder:dim=16,dropout=0.1"])
def test_learns_what_no_bag_can(spec: str) -> None:
    """Texts of the same words in another order are told apart."""
    rng = random.Random(0)
    rows = []
    for _ in range(400):
        filler = [rng.choice(["so", "it", "was", "the"]) for _ in range(rng.randint(0, 4))]
        first = rng.random() < 0.5
        rows.append((" ".join([*filler, *(["good", "not", "bad"] if first else ["bad", "not", "good"])]), "ab"[first]))
    model = lossworks.fit(rows, model=spec, epochs=12, seed=1)
    assert model.metrics["accuracy"]["value"] > 0.95


def test_every_encoder_says_what_it_needs() -> None:
    """Both are families of the registry, with an optimiser that builds and a body that fits."""
    for name in ("transformer_encoder", "rnn_encoder"):
        spec = build(name)
        assert isinstance(spec, EncoderSpec)
        assert spec.body().encoder(V).dim == spec.network(V, 2, 0).head.in_features  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    "keys",
    [
        "transformer_encoder:layers=2,heads=1,dim=8,ffn=32,window=3,context=9,dropout=0.1,pooling=first",
        "rnn_encoder:cell=lstm,layers=2,dim=8,hidden=6,weight_drop=0.1,dropout=0.2,input_dropout=0.3,embedding_dropout=0.4,pooling=last",
    ],
)
def test_an_encoder_is_what_its_keys_say(keys: str) -> None:
    """The body is its family's spec of the same keys, each of them."""
    spec = build(keys)
    assert isinstance(spec, EncoderSpec)
    assert spec.body() == build_language(keys.replace("_encoder", ""))
