"""A pass that is played from a tape: what its steps give one by one, wherever weights and gradients lie; and its kernels."""

from __future__ import annotations

import copy
import ctypes
from typing import Any

import numpy as np
import pytest
import torch

from lossworks.models.transformer import kernels, products, stack, stackable
from models.transformer.cases import gradients, made


@pytest.fixture(autouse=True)
def _playable() -> None:
    if not products.sgemm():
        pytest.skip("PyTorch's library shows no product here")


@pytest.mark.parametrize("shape", [{}, {"kv_heads": 2}, {"kv_heads": 1, "head_dim": 6}, {"dim": 36, "heads": 3, "ffn": 20}])
def test_one_by_one(shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """States and gradients are those of the same steps without a tape."""
    network = made(**shape)
    states, found = gradients(network)
    assert set(network.body.workspaces._free[0].tapes) == {"forward", "backward"}
    network.body.workspaces.clear()
    monkeypatch.setattr(stack, "playable", lambda: False)
    wanted_states, wanted = gradients(network)
    assert not network.body.workspaces._free[0].tapes
    torch.testing.assert_close(states, wanted_states, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_elsewhere() -> None:
    """A tape is written once, and weights, states and gradients that lie elsewhere at the next pass are found there."""
    network = made()
    before = gradients(network)
    (tapes,) = [workspace.tapes for workspace in network.body.workspaces._free]
    kept, written = [before], dict(tapes)
    for p in network.parameters():
        p.data = p.data * 1.5
    network.body.cosines, network.body.sines = network.body.cosines.clone(), network.body.sines.clone()
    kept.append(gradients(network))
    assert dict(tapes) == written
    wanted = gradients(copy.deepcopy(network))
    assert torch.equal(kept[1][0], wanted[0])
    assert all(torch.equal(kept[1][1][name], each) for name, each in wanted[1].items())
    assert not torch.equal(before[0], wanted[0])
    assert torch.equal(before[0], kept[0][0])


def test_tied() -> None:
    """Weights that lie in one place have no tape, which could not tell them apart when they lie in two."""
    network = made()
    first, second = (block.down for block in network.body.blocks)
    assert isinstance(first, torch.nn.Linear)
    assert isinstance(second, torch.nn.Linear)
    own = second.weight
    second.weight = first.weight
    gradients(network)
    second.weight = own
    states, found = gradients(network)
    wanted_states, wanted = gradients(made())
    assert torch.equal(states, wanted_states)
    assert all(torch.equal(found[name], each) for name, each in wanted.items())


@pytest.mark.parametrize("parts", [2, 4])
def test_divided(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of weights are made of whole rows, each by one of the parts, whatever the matrices' sizes."""
    network = made(dim=36, heads=3, ffn=20)
    wanted = gradients(network)[1]
    for module in (stack, stackable):
        monkeypatch.setattr(module, "dividing", lambda: parts)
    torch.testing.assert_close(gradients(network)[1], wanted, rtol=1e-4, atol=1e-5)
    matrices = [torch.empty(shape) for shape in ((100, 7), (3, 90), (48, 48), (1, 5))]
    shares = [products.share_of_rows(matrices, part, parts) for part in range(parts)]
    for matrix, rows in zip(matrices, zip(*shares, strict=True), strict=True):
        assert [row for each in rows for row in range(each.start, each.stop)] == list(range(len(matrix)))


def test_without_a_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library shows no product, or one that gives something else, there is no tape."""
    idle = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(lambda *given: None)
    address = ctypes.cast(idle, ctypes.c_void_p).value
    assert address is not None
    assert not products._multiplies(address)
    monkeypatch.setattr(products, "_LIBRARIES", ("libmissing.so",))
    assert products.sgemm.__wrapped__() == 0


@pytest.mark.parametrize(("rows", "columns", "inner"), [(1, 1, 1), (1, 6, 4), (5, 1, 3), (33, 17, 20)])
@pytest.mark.parametrize(("left", "right"), [(False, False), (True, False), (False, True), (True, True)])
def test_products(rows: int, columns: int, inner: int, left: bool, right: bool) -> None:
    """Products of matrices, turned or not, into rows of a wider one, which is left alone beside them."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((rows, inner), (inner, columns)))
    out = np.full((rows, columns + 2), 7, np.float32)
    given_a, given_b = (np.ascontiguousarray(each.T if turned else each) for each, turned in ((a, left), (b, right)))
    where = given_a.ctypes.data, given_a.shape[1], int(left), given_b.ctypes.data, given_b.shape[1], int(right)
    products.product(products.sgemm(), rows, columns, inner, *where, out.ctypes.data, columns + 2)
    assert np.array_equal(out[:, :columns], a @ b)
    assert (out[:, columns:] == 7).all()


@pytest.mark.parametrize("size", [1, 15, 16, 17, 50])
@pytest.mark.parametrize("shift", [-1000.0, 0.0, 1000.0])
def test_causal_softmax(size: int, shift: float) -> None:
    """That of PyTorch, for scores that are all far below or above 0, too."""
    scores = (torch.randn(3, size, size, generator=torch.Generator().manual_seed(0)) * 20 + shift).numpy()
    scores[0, -1, 0] = -np.inf if size > 1 else 0.0
    later = torch.triu(torch.ones(size, size, dtype=torch.bool), 1)
    wanted = (torch.from_numpy(scores) * 0.5).masked_fill(later, -torch.inf).softmax(-1)
    kernels.causal_softmax(0, 1, scores, np.float32(0.5), np.empty(size, np.float32))
    torch.testing.assert_close(torch.from_numpy(scores), wanted, rtol=1e-5, atol=1e-7)
