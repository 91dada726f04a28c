"""What only recurrent networks owe."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lossworks.models.rnn import RnnSpec
from lossworks.models.rnn.model import Embedding, Layer, Rnn, detached, locked_dropout, turned_round
from models.neural import checks
from models.neural.checks import V, lively, made, tokens


@pytest.mark.parametrize(("cell", "module"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_is_pytorchs(cell: str, module: type[nn.RNNBase]) -> None:
    """Two layers are PyTorch's two layers, in their states, their last states and every gradient."""
    network = RnnSpec(cell=cell, dim=8).network(V)
    assert isinstance(network, Rnn)
    theirs = module(8, 8, 2, batch_first=True)
    with torch.no_grad():
        for number, layer in enumerate(network.layers):
            assert isinstance(layer, Layer)
            for mine, weight in zip(layer.cell.all_weights[0], theirs.all_weights[number], strict=True):
                weight.copy_(mine)
    ids = tokens(3, 6)
    states, after = network.advance(network.start(3), ids)
    wanted, last = theirs(network.embedding.table(ids))
    torch.testing.assert_close(states, wanted)
    torch.testing.assert_close(torch.cat([layer[0] for layer in after]), last[0] if cell == "lstm" else last)
    states.square().sum().backward()
    wanted.square().sum().backward()
    first = network.layers[0]
    assert isinstance(first, Layer)
    for mine, weight in zip(first.cell.all_weights[0], theirs.all_weights[0], strict=True):
        torch.testing.assert_close(mine.grad, weight.grad)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_carried_gradient(name: str) -> None:
    """Through carried states the gradient is that of one pass; a detached state cuts it."""
    network, ids = made(name), tokens(2, 10)
    table = network.embedding.table.weight  # type: ignore[union-attr]
    (whole,) = torch.autograd.grad(network.hidden(ids).square().sum(), table)
    first, state = network.advance(network.start(2), ids[:, :6])
    second, _ = network.advance(state, ids[:, 6:])
    (parts,) = torch.autograd.grad(first.square().sum() + second.square().sum(), table)
    torch.testing.assert_close(parts, whole)
    first, state = network.advance(network.start(2), ids[:, :6])
    second, _ = network.advance(detached(state), ids[:, 6:])
    (cut,) = torch.autograd.grad(second.square().sum(), table)
    unread = sorted(set(range(V)) - set(ids[:, 6:].flatten().tolist()))
    assert (cut[unread] == 0).all()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_weight_drop(cell: str) -> None:
    """In training, half of the recurrent weights are zero at all times, the rest doubled; those alone get a gradient."""
    layer = Layer(cell, 4, 6, 0.5).train()
    lively(layer)
    into, recurrent, *biases = layer.cell.all_weights[0]
    x = torch.randn(2, 5, 4)
    torch.manual_seed(3)
    states, _ = layer(x, layer.start(2))
    torch.manual_seed(3)
    dropped = nn.functional.dropout(recurrent, 0.5)
    assert 0.3 < float((dropped == 0).float().mean()) < 0.7
    plain = Layer(cell, 4, 6, 0.0)
    with torch.no_grad():
        for mine, weight in zip(plain.cell.all_weights[0], (into, dropped, *biases), strict=True):
            mine.copy_(weight)
    torch.testing.assert_close(states, plain(x, plain.start(2))[0])
    states.sum().backward()
    assert recurrent.grad is not None
    assert torch.equal(recurrent.grad == 0, dropped == 0)
    layer.eval()
    assert torch.equal(layer(x, layer.start(2))[0], layer(x, layer.start(2))[0])


def test_locked_dropout() -> None:
    """What is dropped is dropped at all times, and not the same in every row; the mean stays."""
    x = torch.ones(50, 7, 40)
    found = locked_dropout(x, 0.25, True)
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert not torch.equal(found[0], found[1])
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(found.mean()) == pytest.approx(1, abs=0.05)
    assert locked_dropout(x, 0.25, False) is x


def test_embedding_dropout() -> None:
    """A word that is dropped is dropped wherever it stands."""
    table = Embedding(200, 3, 0.3).train()
    ids = torch.arange(200).repeat(4, 1)
    found = table(ids)
    assert torch.equal(found, found[:1].expand_as(found))
    assert 0.15 < float((found[0] == 0).all(-1).float().mean()) < 0.45
    kept = found[0].any(-1)
    torch.testing.assert_close(found[0][kept], table.table.weight[kept] / 0.7)
    assert torch.equal(table.eval()(ids), table.table(ids))


def test_tied() -> None:
    """The last layer is the embedding, with a bias of its own."""
    network = made("lstm")
    assert isinstance(network, Rnn)
    checks.check_tied(network, network.embedding.table)


def test_turned_round() -> None:
    """A text's tokens in reverse, its padding where it was."""
    assert turned_round(torch.tensor([3, 1, 4]), 4).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3], [3, 2, 1, 0]]
