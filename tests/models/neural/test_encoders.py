"""Networks from whole texts to vectors."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from lossworks.core.errors import UsageError
from lossworks.models.neural import NeuralSpec, TextEncoder
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from models.neural import checks
from models.neural.checks import SPECS, V, lively, tokens

KINDS: dict[str, NeuralSpec] = SPECS | {
    "first": TransformerSpec(layers=2, heads=2, dim=16, context=16, pooling="first"),
    "last": RnnSpec(dim=12, hidden=10, pooling="last"),
}


def encoder(name: str) -> TextEncoder:
    """With lively weights, for use."""
    found = KINDS[name].encoder(V)
    lively(found)
    return found.eval()


@pytest.mark.parametrize("name", KINDS)
def test_padding(name: str) -> None:
    """Padding has no influence."""
    checks.check_padding(encoder(name))


@pytest.mark.parametrize("name", KINDS)
def test_shape(name: str) -> None:
    """One vector of ``dim`` numbers a text, a function of the seed."""
    first, again = (KINDS[name].encoder(V, 5).eval() for _ in range(2))
    ids, lengths = tokens(3, 7), torch.tensor([7, 2, 1])
    assert first(ids, lengths).shape == (3, first.dim)
    assert torch.equal(first(ids, lengths), again(ids, lengths))


@pytest.mark.parametrize("name", KINDS)
def test_both_ways(name: str) -> None:
    """What comes later counts as what came before: both get a gradient from either end's vector."""
    network = encoder(name)
    table = network.body.embedding if hasattr(network, "body") else network.embedding.table
    network.encode(torch.arange(5)[None], torch.tensor([5])).square().sum().backward()
    slopes = table.weight.grad[:5].abs().sum(-1)  # type: ignore[union-attr, index]
    assert (slopes > 0).all()


def test_window_in_an_encoder() -> None:
    """A window of 3 in one block reaches 2 tokens to either side."""
    network = TransformerSpec(layers=1, heads=2, dim=16, context=16, window=3, pooling="first").encoder(V).eval()
    lively(network)
    ids, lengths = tokens(1, 6), torch.tensor([6])
    before = network(ids, lengths)
    for place, seen in ((2, True), (3, False)):
        changed = ids.clone()
        changed[0, place] = (changed[0, place] + 1) % V
        assert torch.equal(network(changed, lengths), before) != seen


def test_too_long() -> None:
    """A text longer than the context is refused."""
    with pytest.raises(UsageError, match="got 17 tokens"):
        encoder("first")(tokens(1, 17), torch.tensor([17]))


def test_learns() -> None:
    """A few steps tell texts with one word from those without."""
    spec = dataclasses.replace(KINDS["first"], pooling="mean")
    network, layer = spec.encoder(V), torch.nn.Linear(16, 2)
    ids = tokens(64, 6)
    target = (ids == 3).any(1).long()
    optimizer = torch.optim.Adam([*network.parameters(), *layer.parameters()], 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(layer(network(ids, torch.full((64,), 6))), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
