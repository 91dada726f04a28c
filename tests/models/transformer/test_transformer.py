"""What only a Transformer owes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lossworks.models.transformer import TransformerSpec, ops
from lossworks.models.transformer.attention import rotary_tables
from lossworks.models.transformer.model import Block, Transformer
from lossworks.models.transformer.ops import RmsNorm, rotary_heads, swiglu
from models.neural import checks
from models.neural.checks import TRANSFORMERS, V, lively, made, tokens


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_packing(name: str) -> None:
    """Documents in one row do not see one another."""
    checks.check_packing(made(name))


def test_tied() -> None:
    """The last layer is the embedding."""
    network = made("transformer")
    assert isinstance(network, Transformer)
    checks.check_tied(network, network.body.embedding)


def test_untied() -> None:
    """Where it is not asked for, the last layer has a weight of its own."""
    network = made("grouped")
    assert isinstance(network, Transformer)
    assert network.head.weight.data_ptr() != network.body.embedding.weight.data_ptr()


def test_window() -> None:
    """A window of 5 is 5 tokens."""
    network = TransformerSpec(layers=1, heads=2, dim=16, context=16, window=5).network(V).eval()
    lively(network)
    checks.check_window(network, 5)


def test_wide_window() -> None:
    """A window as long as the row is none, in one pass and in parts."""
    spec = TransformerSpec(layers=2, heads=2, dim=16, context=16)
    plain, wide = (each.network(V).eval() for each in (spec, dataclasses.replace(spec, window=12)))
    ids = tokens(2, 12)
    torch.testing.assert_close(wide.hidden(ids), plain.hidden(ids))
    _, state = wide.advance(wide.start(2), ids[:, :11])
    torch.testing.assert_close(wide.advance(state, ids[:, 11:])[0], plain.hidden(ids)[:, 11:].detach(), atol=1e-5, rtol=1e-5)


def test_norm() -> None:
    """The norm is PyTorch's, its gradient that of small differences."""
    x = torch.randn(3, 4, 10, dtype=torch.float64, requires_grad=True)
    norm = RmsNorm(10, 1e-5).double()
    lively(norm)
    torch.testing.assert_close(norm(x), functional.rms_norm(x, (10,), norm.weight, 1e-5))
    assert torch.autograd.gradcheck(lambda x, w: torch.func.functional_call(norm, {"weight": w}, x), (x, norm.weight))


def test_half_precision_norm() -> None:
    """In bfloat16 and float16 the norm keeps the dtype and does not overflow where squares would."""
    for dtype in (torch.bfloat16, torch.float16):
        x = (300 * torch.ones(2, 64)).to(dtype).requires_grad_()
        found = RmsNorm(64, 1e-5).to(dtype)(x)
        assert found.dtype == dtype
        torch.testing.assert_close(found, torch.ones_like(found))
        found.sum().backward()
        assert x.grad is not None
        assert x.grad.isfinite().all()


def test_gate() -> None:
    """silu(gate) · up, with the gradient of small differences."""
    both = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(swiglu(both), functional.silu(both[..., :4]) * both[..., 4:])
    assert torch.autograd.gradcheck(swiglu, (both,))


def test_rotary() -> None:
    """Number i turns with number i + h/2 by position / theta^(2i/h); values do not turn; the gradient is right."""
    every = torch.randn(1, 5, 4 * 6, dtype=torch.float64, requires_grad=True)
    tables = tuple(table.double() for table in rotary_tables(5, 6, 100.0))
    queries, keys, values = rotary_heads(every, 2, 1, *tables)
    heads = every.unflatten(-1, (4, 6)).transpose(1, 2)
    plane = torch.complex(heads[..., :3], heads[..., 3:])
    angle = torch.outer(torch.arange(5.0), 100.0 ** (-torch.arange(3.0) / 3))
    turned = plane * torch.polar(torch.ones_like(angle), angle)
    wanted = torch.cat([turned.real, turned.imag], -1)
    torch.testing.assert_close(queries, wanted[:, :2], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(keys, wanted[:, 2:3], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(values, heads[:, 3:])
    assert torch.autograd.gradcheck(lambda x: rotary_heads(x, 2, 1, *tables), (every,))


def test_block_gradient() -> None:
    """The gradient of one block, packed and windowed, is that of small differences."""
    block = Block(TransformerSpec(heads=2, kv_heads=1, dim=8, ffn=6)).double()
    lively(block)
    tables = tuple(table.double() for table in rotary_tables(4, 4, 100.0))
    mask = torch.ones(4, 4, dtype=torch.bool).tril().triu(-2)
    x = torch.randn(2, 4, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: block(x, tables, mask), (x,))
    assert torch.autograd.gradcheck(lambda x: block(x, tables, None), (x,))


def test_first_weights() -> None:
    """Weights have deviation 0.02, and those of what is added to the stream are smaller by √(2 layers)."""
    network = TransformerSpec(layers=8, heads=4, dim=128, tied=False).network(500)
    for name, weight in network.named_parameters():
        if weight.ndim == 2:
            added = "o_proj" in name or "down" in name
            assert weight.std().item() == pytest.approx(0.02 / (4 if added else 1), rel=0.05), name


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_compiled(name: str, threads: Callable[[int], None]) -> None:
    """A single token goes through compiled code, which gives PyTorch's states, the same bits on any number of threads."""
    network, ids, found = made(name), tokens(1, 14), []
    for count in (1, 3):
        threads(count)
        _, state = network.advance(network.start(), ids[:, :4])
        assert state.weights is not None
        states = []
        for place in range(4, 14):
            one, state = network.advance(state, ids[:, place : place + 1])
            states.append(one)
        found.append(torch.cat(states, 1))
    torch.testing.assert_close(found[0], network.hidden(ids)[:, 4:].detach(), atol=1e-5, rtol=1e-5)
    assert torch.equal(found[0], found[1])


def test_not_compiled() -> None:
    """Where a layer is no plain one, or not in float32, or dropout may fall, PyTorch does it; weights are read as they are."""
    network = made("transformer")
    assert isinstance(network, Transformer)
    assert network.train().start().weights is None
    assert network.eval().double().start().weights is None
    assert network.float().start(2).weights is None
    state = network.start()
    before, _ = network.advance(state, tokens(1, 1))
    with torch.no_grad():
        network.body.norm.weight.mul_(2)
    torch.testing.assert_close(network.advance(state, tokens(1, 1))[0], 2 * before)

    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    block = network.body.blocks[0]
    assert isinstance(block, Block)
    block.down = Doubled(block.down.in_features, block.down.out_features, bias=False)
    assert network.start().weights is None


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_compiled_steps(name: str, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled passes give what plain tensor operations give, with every gradient, the same bits on any number of threads."""
    ids, found, honest = tokens(40, 16), [], ops._compiled
    for plain, count in ((True, 1), (False, 1), (False, 3)):
        threads(count)
        monkeypatch.setattr(ops, "_compiled", (lambda *tensors: False) if plain else honest)
        network = made(name)
        lively(network, 0.2)
        states = network.hidden(ids)
        slopes = torch.autograd.grad(states.square().mean(), [p for key, p in network.named_parameters() if key != "head.weight"])
        found.append([states.detach(), *slopes])
    for want, one, three in zip(*found, strict=True):
        assert float((one - want).norm()) < 1e-5 * float(want.norm())
        assert torch.equal(one, three)
