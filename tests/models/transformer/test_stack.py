"""A Transformer's blocks as one step of autograd: what the blocks one by one would have given, or no step at all."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from lossworks.core.threads import divided_among
from lossworks.models.transformer import model as transformer
from lossworks.models.transformer import stackable
from lossworks.models.transformer.model import Block, Transformer
from models.neural.checks import V, tokens
from models.transformer.cases import gradients, made

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped": {"kv_heads": 2},
    "one key head": {"kv_heads": 1, "head_dim": 6},
    "untied": {"tied": False, "ffn": 48},
    "one layer": {"layers": 1},
    "uneven": {"dim": 36, "heads": 3, "ffn": 20},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_as_the_blocks(shape: dict[str, Any]) -> None:
    """States and the gradients of all weights are those of the blocks in float64, to float32's precision."""
    network = made(**shape)
    exact = network.spec.network(V).double()
    exact.load_state_dict(network.state_dict())
    (states, found), (wanted_states, wanted) = gradients(network), gradients(exact)
    assert _stacks(network)
    assert _apart(states, wanted_states) < 2e-6
    assert {name: _apart(found[name], each) < 1e-5 for name, each in wanted.items()} == dict.fromkeys(wanted, True)


def test_bfloat16() -> None:
    """Under autocast it is no further from the truth than the blocks one by one are, and its gradients are in float32."""
    network = made()
    exact = network.spec.network(V).double()
    exact.load_state_dict(network.state_dict())
    wanted_states, wanted = gradients(exact)
    errors = []
    for one_by_one in (False, True):
        states, found = gradients(network, narrow=True, one_by_one=one_by_one)
        assert {each.dtype for each in (states, *found.values())} == {torch.float32}
        errors.append((_apart(states, wanted_states), sum(_apart(found[name], each) for name, each in wanted.items())))
    assert 1e-4 < errors[0][0] < 1.5 * errors[1][0]
    assert 1e-4 < errors[0][1] < 1.5 * errors[1][1]


@pytest.mark.parametrize("narrow", [False, True])
def test_threads(narrow: bool, threads: Callable[[int], None]) -> None:
    """The same bits on any number of threads, which PyTorch has as many of afterwards as before."""
    network, ids, seen = made(dim=64, context=64), tokens(6, 64), []
    torch.set_num_threads(2)
    for count in (1, 2, 3):
        threads(count)
        assert _stacks(network, ids)
        seen.append(gradients(network, ids, narrow=narrow))
        assert torch.get_num_threads() == 2
    for states, found in seen[1:]:
        assert torch.equal(states, seen[0][0])
        assert all(torch.equal(found[name], each) for name, each in seen[0][1].items())


def test_threads_of_pytorch(threads: Callable[[int], None]) -> None:
    """Products are made on one core each, however many PyTorch might take, so their bits are the same."""
    network, ids, seen = made(dim=256, context=64), tokens(6, 64), []  # large enough for BLAS to divide products
    before = torch.get_num_threads()
    try:
        for count, of_pytorch in ((1, 1), (1, 2), (1, 4), (2, 2)):
            threads(count)
            torch.set_num_threads(of_pytorch)
            with divided_among(1):
                seen.append(gradients(network, ids)[1])
            assert torch.get_num_threads() == of_pytorch
    finally:
        torch.set_num_threads(before)
    for found in seen[1:]:
        assert all(torch.equal(found[name], each) for name, each in seen[0].items() if name.startswith("body.blocks"))


def test_again() -> None:
    """Two graphs at once do not write on one another, and a graph that is kept gives its gradients twice."""
    network, (few, many) = made(), (tokens(2, 9), tokens(4, 16, seed=1))
    wanted = [gradients(network, ids)[1] for ids in (few, many, few)]
    losses = [network.hidden(ids).square().sum() for ids in (few, many, few)]
    for loss, each in zip(losses * 2, wanted * 2, strict=True):
        network.zero_grad()
        loss.backward(retain_graph=True)
        assert all(torch.equal(p.grad, each[n]) for n, p in network.named_parameters() if p.grad is not None)


def test_workspace() -> None:
    """What one step worked in serves the next; a copy of the model has none, and evaluation gives it back."""
    network = made()
    gradients(network)
    (workspace,) = network.body.workspaces._free
    gradients(network)
    assert network.body.workspaces._free == [workspace]
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert not copied.body.workspaces._free
        assert torch.equal(gradients(copied)[0], gradients(network)[0])
    network.eval()
    assert not network.body.workspaces._free


def test_once() -> None:
    """A second derivative is refused."""
    network = made()
    (slope,) = torch.autograd.grad(network.hidden(tokens(2, 8)).square().sum(), network.body.norm.weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_changed_weight() -> None:
    """A weight that was changed before its gradient was made is an error, as everywhere in PyTorch."""
    network = made()
    loss = network.hidden(tokens(2, 8)).sum()
    with torch.no_grad():
        network.body.blocks[0].qkv.weight.mul_(2)  # type: ignore[union-attr, operator]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_changed_states() -> None:
    """What came out may be changed in place."""
    network = made()
    network.hidden(tokens(2, 8)).mul_(2).sum().backward()
    doubled = network.body.norm.weight.grad
    network.zero_grad()
    network.hidden(tokens(2, 8)).sum().backward()
    assert doubled is not None
    assert network.body.norm.weight.grad is not None
    assert torch.equal(doubled, 2 * network.body.norm.weight.grad)


def test_kept_loss() -> None:
    """Whoever keeps a loss whose gradient was made keeps no workspace; a second gradient is refused as everywhere in PyTorch."""
    network = made()
    losses = [network.hidden(tokens(2, 8)).sum() for _ in range(2)]
    assert not network.body.workspaces._free
    losses[0].backward()
    assert network.body.workspaces._free
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        losses[0].backward()


def test_matrix_of_one_column() -> None:
    """A weight of one column counts as contiguous whatever its strides; its gradient is as large as it."""
    network, other = made(ffn=1), made(ffn=1)
    down = network.body.blocks[0].down
    assert isinstance(down, torch.nn.Linear)
    down.weight = torch.nn.Parameter(down.weight.detach().as_strided((32, 1), (1, 7)))
    assert down.weight.is_contiguous()
    assert _stacks(network)
    torch.testing.assert_close(gradients(network)[1], gradients(other)[1])


def test_not_a_number() -> None:
    """What is no number stays none, so that a training that fails is seen, and other texts do not hear of it."""
    network = made()
    with torch.no_grad():
        network.body.embedding.weight[3, 0] = torch.nan
    ids = torch.full((2, 8), 4)
    ids[0, 2] = 3
    states = network.hidden(ids)
    assert states[0, 2:].isnan().all()
    assert states[1].isfinite().all()


def _frozen(network: Transformer) -> None:
    network.body.blocks[0].qkv.weight.requires_grad_(False)  # type: ignore[union-attr]


def _hooked(network: Transformer) -> None:
    network.body.blocks[1].down.register_forward_hook(lambda *given: None)  # type: ignore[union-attr, operator]


def _replaced(network: Transformer) -> None:
    network.body.blocks[1].down = torch.nn.Sequential(network.body.blocks[1].down)  # type: ignore[union-attr]


def _longer(network: Transformer) -> None:
    network.body.blocks[1].down.bias = torch.nn.Parameter(torch.ones(32))  # type: ignore[union-attr]


class _Half(Block):
    def forward(self, x: Tensor, *given: Any, **named: Any) -> Tensor:
        return (x + super().forward(x, *given, **named)) / 2


def _subclassed(network: Transformer) -> None:
    network.body.blocks[0] = _Half(network.spec)


def _patched(network: Transformer) -> None:
    network.body.blocks[0].forward = lambda x, *given, **named: x  # type: ignore[method-assign, assignment]


def _dropping(network: Transformer) -> None:
    network.body.blocks[1].dropout.p = 0.5  # type: ignore[union-attr]


def _watched(network: Transformer) -> None:
    network.body.blocks[1].dropout.register_forward_hook(lambda *given: None)  # type: ignore[union-attr, operator]


def _pruned(network: Transformer) -> None:
    prune.random_unstructured(network.body.norm, "weight", 0.5)  # type: ignore[no-untyped-call]


CHANGES = [_frozen, _hooked, _replaced, _longer, _subclassed, _patched, _dropping, _watched, _pruned]


@pytest.mark.parametrize("change", [*CHANGES, Transformer.double, Transformer.bfloat16])
def test_left_alone(change: Callable[[Transformer], Any]) -> None:
    """What is not as the spec made it goes block by block."""
    network = made()
    change(network)
    assert not _stacks(network)
    assert network.hidden(tokens(2, 8)).requires_grad


def test_counted() -> None:
    """A mode that sees operations sees them."""
    network = made()
    with FlopCounterMode(display=False) as counter:
        network.hidden(tokens(4, 16))
    assert counter.get_total_flops() >= 2 * 4 * 16 * sum(p.numel() for p in network.body.blocks.parameters() if p.ndim == 2)


def test_bits_do_not_depend_on_who_watches() -> None:
    """A profiler, and a mode that sees calls of PyTorch's functions (such as a default device), leave the pass as it is."""
    network = made()
    with torch.autograd.profiler.profile():
        assert _stacks(network)
    with torch.device("cpu"):
        assert _stacks(network)


def test_left_alone_by_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does what has dropout, no gradient, long rows, or rows that do not divide among threads; and windows and documents."""
    assert not _stacks(made(dropout=0.1))
    assert _stacks(made(dropout=0.1).eval())
    assert not _stacks(made(context=512), tokens(1, 300))
    with torch.no_grad():
        assert not _stacks(made())
    monkeypatch.setattr(stackable, "dividing", lambda: 2)
    assert not _stacks(made(), tokens(3, 8))
    monkeypatch.setattr(transformer, "stacked", None)
    assert made(window=3).hidden(tokens(2, 8)).requires_grad
    assert made().hidden(tokens(2, 8), documents=torch.arange(8).expand(2, -1) // 4).requires_grad


def _stacks(network: Transformer, ids: Tensor | None = None) -> bool:
    return stackable.stackable(network.body, network.body.embedding(tokens(4, 16) if ids is None else ids))


def _apart(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted).norm() / wanted.norm())
