"""Linear layers in products of 8-bit integers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.models.hf.int8 import Int8Linear, in_int8


def layer(inputs: int = 7, outputs: int = 5, bias: bool = True) -> Int8Linear:
    """Drawn."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(inputs, outputs, bias=bias))
    in_int8(model)
    found = model[0]
    assert isinstance(found, Int8Linear)
    return found.eval().requires_grad_(False)


def by_hand(x: Tensor, own: Int8Linear) -> Tensor:
    """The same in float64."""
    rows, weight = x.double(), own.weight.double()
    of_rows, of_outputs = (each.abs().amax(1, keepdim=True) / 127 for each in (rows, weight))
    sums = (rows / of_rows).round() @ (weight / of_outputs).round().T
    bias = 0.0 if own.bias is None else own.bias.double()
    return (sums * of_rows * of_outputs.T + bias).float()


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 7), (40, 7), (300, 7)])
def test_by_hand(shape: tuple[int, int], bias: bool) -> None:
    """Rows are rounded by the largest of each, whatever its sign; weights by each output's."""
    own = layer(bias=bias)
    x = torch.randn(shape) * torch.logspace(-6, 3, shape[0])[:, None]
    torch.testing.assert_close(own(x), by_hand(x, own), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_shapes_and_zeros() -> None:
    """Leading axes stay; a row of zeros, or of numbers too small to divide by, gives the bias; inputs may be views."""
    own = layer()
    x = torch.zeros(2, 3, 7)
    x[1] = 1e-42
    assert torch.equal(own(x), own.bias.expand(2, 3, 5))
    base = torch.randn(7, 4)
    assert torch.equal(own(base.T), own(base.T.contiguous()))


def test_where_a_gradient_is_wanted() -> None:
    """It is a plain layer then, and reads by its new weights when it was trained."""
    own, x = layer().requires_grad_(True), torch.randn(4, 7)
    assert torch.equal(own(x), nn.functional.linear(x, own.weight, own.bias))
    with torch.no_grad():
        before = own(x)
        own.train()
        own.weight.detach().numpy()[:] *= 2  # as our optimizers write: PyTorch does not see it
        own.eval()
        np.testing.assert_allclose(own(x) - own.bias, 2 * (before - own.bias), rtol=1e-5)
