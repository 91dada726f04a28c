"""Networks over tokens, whatever their family."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from lossworks import losses
from lossworks.core.errors import UsageError
from lossworks.models.rnn import RnnSpec
from lossworks.models.transformer import TransformerSpec
from lossworks.optim.roles import roles
from lossworks.scores import dense, fused
from models.neural import checks
from models.neural.checks import SPECS, TRANSFORMERS, V, lively, made, tokens


@pytest.mark.parametrize("name", SPECS)
def test_causality(name: str) -> None:
    """What comes later has no influence."""
    checks.check_causal(made(name))


@pytest.mark.parametrize("name", SPECS)
def test_in_parts(name: str) -> None:
    """Reading on from a state is reading the whole, and a state can be read on from twice."""
    checks.check_cache(made(name))


@pytest.mark.parametrize("name", SPECS)
def test_passes(name: str) -> None:
    """``passes`` gives the states of ``hidden``, part by part."""
    network, ids = made(name), tokens(2, 15)
    with torch.no_grad():
        torch.testing.assert_close(torch.cat(list(network.passes(ids)), 1), network.hidden(ids))


@pytest.mark.parametrize("name", SPECS)
def test_parameter_count(name: str) -> None:
    """There are as many weights as the formula says; those shared are counted once."""
    spec = SPECS[name]
    assert isinstance(spec, RnnSpec | TransformerSpec)
    assert sum(p.numel() for p in spec.network(V).parameters()) == spec.parameters(V)


@pytest.mark.parametrize("name", SPECS)
def test_seed(name: str) -> None:
    """First weights are a function of the seed, and making them leaves PyTorch's own numbers alone."""
    before = torch.get_rng_state()
    first, again, other = (SPECS[name].network(V, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", SPECS)
def test_fused_loss(name: str) -> None:
    """A loss on fused scores is the loss on whole logits, and so is the gradient of every weight."""
    network = made(name).double()
    ids, target, loss = tokens(3, 8), tokens(3, 8, seed=2), losses.build("focal:gamma=1.5")
    hidden = network.hidden(ids)
    of_whole = loss(dense(network.logits(hidden), target)).mean()
    of_fused = fused(hidden, network.head, target, softcap=network.softcap).mean(loss)
    torch.testing.assert_close(of_fused, of_whole)
    every = list(network.parameters())
    wanted = torch.autograd.grad(of_whole, every, retain_graph=True)
    for got, want in zip(torch.autograd.grad(of_fused, every), wanted, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", SPECS)
def test_whole_gradient(name: str) -> None:
    """The gradient of every weight is that of small differences, in float64."""
    network, ids = made(name).double(), tokens(1, 5)
    names, weights = zip(*network.named_parameters(), strict=True)

    def hidden(*given: Tensor) -> Tensor:
        with torch.no_grad():
            for weight, value in zip(weights, given, strict=True):
                weight.copy_(value)
        return network.hidden(ids).sum() + network.hidden(ids)[0, -1].square().sum()

    found = torch.autograd.grad(hidden(*[w.detach().clone() for w in weights]), weights, allow_unused=True)
    for place, (weight, slope) in enumerate(zip(weights, found, strict=True)):
        base = [w.detach().clone() for w in weights]
        way = torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(place))
        ends = []
        for step in (1e-6, -1e-6):
            moved = [*base[:place], base[place] + step * way, *base[place + 1 :]]
            ends.append(hidden(*moved).item())
        hidden(*base)
        expected = (ends[0] - ends[1]) / 2e-6
        along = 0.0 if slope is None else float((slope * way).sum())
        assert along == pytest.approx(expected, rel=1e-4, abs=1e-5), names[place]


@pytest.mark.parametrize("name", SPECS)
def test_dropout_is_for_training(name: str) -> None:
    """In use nothing is random; in training with dropout everything is."""
    spec = SPECS[name]
    network = dataclasses.replace(spec, dropout=0.5).network(V)
    lively(network)
    ids = tokens(2, 6)
    assert torch.equal(network.eval().hidden(ids), network.eval().hidden(ids))
    assert not torch.equal(network.train().hidden(ids), network.train().hidden(ids))


@pytest.mark.parametrize("name", SPECS)
def test_roles(name: str) -> None:
    """An optimiser sees norms and biases as vectors, a tied head as an embedding, another as the head."""
    found = {key: roles(network)[p] for network in [SPECS[name].network(V)] for key, p in network.named_parameters()}
    assert {role for key, role in found.items() if "norm" in key or "bias" in key} <= {"vector"}
    assert [role for key, role in found.items() if "embedding" in key] == ["embedding"]
    assert found.get("head.weight", "head") == "head"
    assert {role for key, role in found.items() if "layers" in key or "blocks" in key} == {"matrix", "vector"}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_too_long(name: str) -> None:
    """A row longer than the context is refused, at once or in parts."""
    network = made(name)
    with pytest.raises(UsageError, match="got 17 tokens in a row"):
        network.hidden(tokens(1, 17))
    _, state = network.advance(network.start(), tokens(1, 16))
    with pytest.raises(UsageError, match="got 17 tokens"):
        network.advance(state, tokens(1, 1))


def test_rnn_refuses_documents() -> None:
    """A carried state knows no documents, and says so."""
    with pytest.raises(UsageError, match="a row of its own"):
        made("lstm").hidden(tokens(1, 4), torch.zeros(1, 4, dtype=torch.long))


@pytest.mark.parametrize("name", ["grouped", "lstm"])
def test_bfloat16(name: str) -> None:
    """With bfloat16 products the states and gradients are near those in float32."""
    network, ids = SPECS[name].network(V).eval(), tokens(2, 8)
    wide = network.hidden(ids)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = network.hidden(ids)
    torch.testing.assert_close(narrow.float(), wide, atol=0.05, rtol=0.05)
    every = [p for key, p in network.named_parameters() if "head" not in key]
    slopes = (torch.autograd.grad(states.float().square().mean(), every) for states in (wide, narrow))
    for want, got in zip(*slopes, strict=True):
        assert float((want - got).norm()) < 0.1 * float(want.norm()) + 1e-6


@pytest.mark.parametrize(
    ("cls", "key", "value"),
    [
        (TransformerSpec, "layers", 0),
        (TransformerSpec, "heads", 3),
        (TransformerSpec, "kv_heads", 3),
        (TransformerSpec, "head_dim", 5),
        (TransformerSpec, "window", 0),
        (TransformerSpec, "dropout", 1.0),
        (TransformerSpec, "theta", 0.0),
        (TransformerSpec, "pooling", "last"),
        (RnnSpec, "cell", "rnn"),
        (RnnSpec, "dim", 0),
        (RnnSpec, "weight_drop", -0.1),
        (RnnSpec, "pooling", "first"),
    ],
)
def test_outside_the_domain(cls: type, key: str, value: object) -> None:
    """A value that makes no sense is refused, by its name."""
    with pytest.raises(UsageError, match=f"{key}.*{value}"):
        cls(**{key: value})
