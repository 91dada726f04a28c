"""AdaGrad."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.optim import build

HAND = {
    "adagrad:lr=0.1": [(0.9, -1.9), (0.9 - 0.1 / math.sqrt(2), -1.9 - 0.1 / math.sqrt(17))],
    "adagrad:lr=0.1,initial=0.75": [
        (0.95, -2 + 0.4 / math.sqrt(16.75)),
        (0.95 - 0.05 / math.sqrt(1.25), -2 + 0.4 / math.sqrt(16.75) - 0.1 / math.sqrt(17.75)),
    ],
}
REFERENCE = {
    "adagrad:lr=0.2,initial=0.01,eps=0.001": lambda p: torch.optim.Adagrad(p, lr=0.2, initial_accumulator_value=0.01, eps=0.001)
}
BAD = {"initial": ("-1",)}


@pytest.mark.parametrize("times", [4, 64])
def test_a_rare_feature_learns_as_much_in_larger_batches(times: int) -> None:
    """AdaGrad fitted to larger batches: what a lone example moves its weight by, against lr, is the same as in small ones."""
    small = build("adagrad:lr=0.3,initial=1e-5")
    large, moved = small.for_batches(times), []
    for optimizer, gradient in ((small, 0.01), (large, 0.01 / times)):
        weight = torch.zeros(1, requires_grad=True)
        step = optimizer.torch([{"params": [weight]}])
        weight.grad = torch.tensor([gradient])
        step.step()
        moved.append(weight.item() / optimizer.lr)
    assert moved[1] == pytest.approx(moved[0], rel=1e-3)
    assert small.lr < large.lr < small.lr * times**0.5


def test_one_pass_where_pytorch_has_one() -> None:
    """Whole gradients on the CPU are stepped fused, and end where others do; sparse ones, which PyTorch cannot fuse, step too."""
    ends = []
    for sparse in (False, True, False):
        table = torch.nn.Embedding.from_pretrained(torch.ones(4, 3), freeze=False, sparse=sparse)
        inner = build("adagrad:lr=0.1").over(table)
        table(torch.tensor([0, 2, 2])).square().sum().backward()
        with torch.sparse.check_sparse_tensor_invariants():
            inner.step()
        assert inner.param_groups[0]["fused"] is not sparse
        ends.append(table.weight.detach())
    torch.testing.assert_close(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])
