"""The sparse-matrix loss: as a classification loss, and as the factorisation of a sparse matrix of counts."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from lossworks.core.errors import UsageError
from lossworks.losses import MeanSquaredError, SparseMatrix

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")


def formula(loss: SparseMatrix, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    weight = p.new_tensor(loss.weights or (1.0,) * y.shape[-1])
    return (weight * (p - y) ** 2).sum(-1)


ODD: dict[str, dict[str, str]] = {"weights=1/0/2.5/100": {}, "weights=0.01/0.01": {}}


# --- over outcomes


def test_by_hand() -> None:
    """Probabilities 1/4 and 3/4, target the first, weights 2 and 8: 2·(3/4)² + 8·(3/4)²."""
    logits = torch.tensor([0.25, 0.75], dtype=torch.float64).log()
    assert SparseMatrix(weights=(2.0, 8.0))(logits, torch.tensor(0)).item() == pytest.approx(5.625)


def test_limit_is_the_squared_error() -> None:
    """No weights, and weights of 1, are mse."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    want = MeanSquaredError()(logits, target)
    for weights in ((), (1.0,) * 4):
        torch.testing.assert_close(SparseMatrix(weights=weights)(logits, target), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weights", [(1.0, -0.5), (float("nan"),), (float("inf"),)])
def test_weights_outside_the_domain(weights: tuple[float, ...]) -> None:
    """Weights are finite and not negative."""
    with pytest.raises(UsageError, match=r"weights are .*; wanted finite numbers, none below 0"):
        SparseMatrix(weights=weights)


# --- the factorisation


csr = partial(torch.sparse_csr_tensor, check_invariants=True)


def sparse(rows: int, columns: int, stored: int, seed: int = 0, whole: bool = False) -> Tensor:
    """A random CSR matrix of float64 counts; the first row and the last column stay empty where there is room."""
    rng = np.random.default_rng(seed)
    inside = (rows - 1) * (columns - 1)
    cell = np.unique(rng.integers(0, inside, stored)) if inside else np.zeros(0, int)
    i, j = cell // (columns - 1 or 1) + 1, cell % (columns - 1 or 1)
    starts = np.concatenate([[0], np.bincount(i, minlength=rows).cumsum()])
    values = rng.poisson(2.0, len(cell)) if whole else rng.normal(size=len(cell))
    numbers = torch.tensor(values, dtype=torch.float64)
    return csr(torch.tensor(starts), torch.tensor(j), numbers, (rows, columns))


def factors(rows: int, columns: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random factors that ask for gradients."""
    rng = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(n, width, generator=rng, dtype=torch.float64) for n in (rows, columns))
    return left.requires_grad_(), right.requires_grad_()


def stored_cells(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each stored cell, zeros that are stored among them."""
    starts = counts.crow_indices()
    return torch.repeat_interleave(torch.arange(len(counts)), starts.diff()), counts.col_indices()


def dense_sum(loss: SparseMatrix, counts: Tensor, left: Tensor, right: Tensor, zero_weight: float) -> Tensor:
    """Σ_ij w_ij (y_ij - l_i · r_j)², cell by cell over the whole matrix."""
    weight = torch.full(counts.shape, zero_weight, dtype=left.dtype)
    weight[stored_cells(counts)] = 1.0
    if loss.weights:
        weight = weight * weight.new_tensor(loss.weights)
    y = torch.zeros(counts.shape, dtype=left.dtype)
    y[stored_cells(counts)] = counts.values().to(left.dtype)
    return (weight * (y - left @ right.T) ** 2).sum()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), width=st.integers(1, 4), stored=st.integers(0, 40),
    zero_weight=st.sampled_from([0.0, 0.3, 1.0]), weighted=st.booleans(), seed=st.integers(0, 999),
)  # fmt: skip
def test_equals_the_double_sum(
    rows: int, columns: int, width: int, stored: int, zero_weight: float, weighted: bool, seed: int
) -> None:
    """Value and both gradients, with empty rows and columns, stored zeros, and column weights (0 among them)."""
    counts = sparse(rows, columns, stored, seed, whole=seed % 2 == 0)  # Poisson counts: some stored values are 0
    loss = SparseMatrix(weights=tuple(float(k % 3) for k in range(columns)) if weighted else ())
    left, right = factors(rows, columns, width, seed)
    value = loss.factorisation(counts, left, right, zero_weight=zero_weight)
    want = dense_sum(loss, counts, left, right, zero_weight)
    size = 1 + float(want.detach())
    torch.testing.assert_close(value, want, rtol=1e-12, atol=1e-12 * size)
    slopes, wanted = (torch.autograd.grad(3 * v, (left, right)) for v in (value, want))
    torch.testing.assert_close(slopes, wanted, rtol=1e-12, atol=1e-12 * size)


def test_by_hand_with_a_stored_zero() -> None:
    """[[2, 0̲], [·, 3]] with 0̲ stored, l = (1, 2), r = (1, 1), zeros not stored at a half: 1 + 1 + ½·4 + 1."""
    counts = torch.sparse_csr_tensor(
        torch.tensor([0, 2, 3]), torch.tensor([0, 1, 1]), torch.tensor([2.0, 0.0, 3.0]), (2, 2), check_invariants=True
    )
    left, right = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    assert SparseMatrix().factorisation(counts, left, right, zero_weight=0.5).item() == 5.0
    assert SparseMatrix(weights=(1.0, 10.0)).factorisation(counts, left, right, zero_weight=0.5).item() == 23.0


def test_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into blocks of 7 stored cells, the sum and its gradients are the same."""
    counts, (left, right) = sparse(20, 30, 200), factors(20, 30, 3)
    loss = SparseMatrix()
    want = torch.autograd.grad(loss.factorisation(counts, left, right), (left, right))
    monkeypatch.setattr("lossworks.losses.sparse_matrix._ENTRIES", 7)
    got = torch.autograd.grad(loss.factorisation(counts, left, right), (left, right))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_derivatives() -> None:
    """The gradients are those of the value; a second derivative, which it has not, is refused."""
    counts, (left, right) = sparse(5, 6, 12), factors(5, 6, 2)
    loss = SparseMatrix(weights=(1, 2, 0, 4, 5, 6))
    gradcheck(lambda a, b: loss.factorisation(counts, a, b, zero_weight=0.3), (left, right))
    value = loss.factorisation(counts, left, right)
    with pytest.raises(UsageError, match="no second derivative"):
        torch.autograd.grad(value, left, create_graph=True)


def test_number_types() -> None:
    """Whole counts, 32-bit positions and float32 factors fit together."""
    counts, (left, right) = sparse(8, 9, 30, whole=True), factors(8, 9, 2)
    starts, columns, values = counts.crow_indices(), counts.col_indices(), counts.values()
    small = csr(starts.int(), columns.int(), values.to(torch.int64), counts.shape)
    value = SparseMatrix().factorisation(small, left.float(), right.float())
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), SparseMatrix().factorisation(counts, left, right), rtol=1e-5, atol=0)


class LargestTensor(TorchDispatchMode):
    """Records how many numbers the largest tensor made within it holds."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, Tensor) and tensor.layout == torch.strided:
                self.numbers = max(self.numbers, tensor.numel())
        return result


def test_nothing_large_is_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither rows × columns nor stored cells × d: a list of the stored cells or a factor is the largest."""
    monkeypatch.setattr("lossworks.losses.sparse_matrix._ENTRIES", 256)
    counts, (left, right) = sparse(400, 500, 20_000), factors(400, 500, 16)
    cells = len(counts.values())
    with LargestTensor() as largest:
        SparseMatrix().factorisation(counts, left, right).backward()
    assert 0 < largest.numbers <= max(cells, 500 * 16, 256 * 16) < 400 * 500
    with LargestTensor() as largest:
        dense_sum(SparseMatrix(), counts, left, right, 1.0)
    assert largest.numbers >= 400 * 500  # what is asserted above can be told from densifying


def test_descent_on_a_large_matrix() -> None:
    """Three steps of descent on 200,000 × 50,000 with a million stored cells lower the loss."""
    counts = sparse(200_000, 50_000, 1_000_000, whole=True).to(torch.float32)
    left, right = (0.1 * f.detach().float() for f in factors(200_000, 50_000, 8))
    values = []
    for _ in range(3):
        left, right = left.detach().requires_grad_(), right.detach().requires_grad_()
        value = SparseMatrix().factorisation(counts, left, right)
        slopes = torch.autograd.grad(value, (left, right))
        left, right = left - 1e-4 * slopes[0], right - 2e-5 * slopes[1]
        values.append(float(value.detach()))
    assert values[2] < values[1] < values[0]


def test_descent_recovers_a_planted_matrix() -> None:
    """From half its cells, a matrix of rank 2 is found whole."""
    planted = (a @ b.T for a, b in [factors(40, 30, 2, seed=5)])
    whole = next(planted).detach()
    seen = torch.rand(40, 30, generator=torch.Generator().manual_seed(1)) < 0.5
    counts = torch.where(seen, whole, 0.0).to_sparse_csr()
    left, right = factors(40, 30, 2, seed=6)
    descent = torch.optim.LBFGS([left, right], max_iter=400, line_search_fn="strong_wolfe", tolerance_change=0, history_size=20)
    first = float(SparseMatrix().factorisation(counts, left, right, zero_weight=0.0).detach())

    def closure() -> Tensor:
        descent.zero_grad()
        value = SparseMatrix().factorisation(counts, left, right, zero_weight=0.0)
        value.backward()
        return value

    descent.step(closure)
    assert float(closure().detach()) < 1e-10 * first
    torch.testing.assert_close((left @ right.T).detach(), whole, rtol=0, atol=1e-4)


def test_what_does_not_fit_is_refused() -> None:
    """Each error says what was got and what was wanted."""
    counts, (left, right) = sparse(4, 5, 6), factors(4, 5, 2)
    loss = SparseMatrix()
    with pytest.raises(UsageError, match=r"torch.strided tensor. Give CSR: counts.to_sparse_csr\(\)"):
        loss.factorisation(counts.to_dense(), left, right)
    for a, b in ((right, left), (left, right[:, :1]), (left[:, 0], right[:, 0]), (left[:3], right)):
        with pytest.raises(UsageError, match=r"counts \(4, 5\) do not fit factors"):
            loss.factorisation(counts, a, b)
    with pytest.raises(UsageError, match="weights: got 2 values for 5 columns"):
        SparseMatrix(weights=(1.0, 2.0)).factorisation(counts, left, right)
    with pytest.raises(UsageError, match="zero_weight is -1; wanted"):
        loss.factorisation(counts, left, right, zero_weight=-1)
