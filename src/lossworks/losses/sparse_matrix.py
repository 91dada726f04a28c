"""The sparse-matrix loss, in both its uses: sparse targets of a classifier, and a sparse matrix of counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores import Scores
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float

_ENTRIES = 1 << 16  # stored entries worked on at once; what bounds the memory


@losses.add("sparse_matrix", source="Brier 1950 for the squares; Hu, Koren & Volinsky 2008, ICDM, sec. 4, for the closed form")
@dataclass(frozen=True, slots=True, kw_only=True)
class SparseMatrix(CategoricalLoss):
    """Σ_x w_x (y_x - ŷ_x)²: squared error with a weight a word or class, on targets that are nearly all zero.

    Over scores: y is the one-hot target and ŷ the probabilities, computed as Σ w p² - 2 w_y p_y + w_y; the one-hot
    matrix is never made. ``factorisation`` is the same sum over a sparse matrix of counts and two factors.
    Domain: weights >= 0, one a class, or none for all 1.  Limit: no weights is the mean squared (Brier) error.
    """

    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if any(not 0 <= weight < float("inf") for weight in self.weights):
            raise UsageError(f"weights are {self.weights}; wanted finite numbers, none below 0.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        p = scores.logp.exp()
        if not self.weights:
            return scores.square_sum() - 2 * p + 1
        weight = scores.of_classes(self.weights, "weights")
        return scores.square_sum(weight) + scores.at_target(weight) * (1 - 2 * p)

    def factorisation(
        self,
        counts: Tensor,
        left: Float[Tensor, "rows d"],
        right: Float[Tensor, "columns d"],
        *,
        zero_weight: float = 1.0,
    ) -> Float[Tensor, ""]:
        """Σ_ij w_ij (y_ij - l_i · r_j)² over *all* cells of the matrix, at a cost of O(nnz d + (rows + columns) d²).

        w_ij is the weight of column j (this loss's ``weights``, one a column), times ``zero_weight`` where the cell
        is not stored. The cells not stored are never visited: over all cells Σ w ŷ² = tr((LᵀL)(RᵀWR)), and each
        stored cell then puts right its own share. Gradients go into ``left`` and ``right``; the memory beyond
        them is bounded.

        Args:
            counts: a CSR tensor (``torch.sparse_csr``) of shape [rows, columns].
            left: the row factors.
            right: the column factors.
            zero_weight: what a cell that is not stored weighs against one that is; 0 fits the stored cells only.

        Raises:
            UsageError: not CSR, shapes that do not fit, a zero_weight below 0, or (in backward) a second derivative.
        """
        if not 0 <= zero_weight < float("inf"):
            raise UsageError(f"zero_weight is {zero_weight}; wanted a finite number, 0 or more.")
        if counts.layout != torch.sparse_csr:
            raise UsageError(f"counts: got a {counts.layout} tensor. Give CSR: counts.to_sparse_csr().")
        if left.ndim != 2 or counts.shape != (len(left), len(right)) or left.shape[1:] != right.shape[1:]:
            raise UsageError(
                f"factorisation: counts {tuple(counts.shape)} do not fit factors {tuple(left.shape)} and {tuple(right.shape)}."
            )
        if self.weights and len(self.weights) != len(right):
            raise UsageError(f"weights: got {len(self.weights)} values for {len(right)} columns. Give one a column.")
        weight = right.new_tensor(self.weights) if self.weights else right.new_ones(len(right))
        with torch.autocast(left.device.type, enabled=False):  # the stored cells take away from it what is nearly as large
            everywhere = ((left.T @ left) * (right.T @ (weight[:, None] * right))).sum() * zero_weight
        stored: Tensor = _Stored.apply(counts, left, right, weight, zero_weight)  # type: ignore[no-untyped-call]
        return everywhere + stored


class _Stored(torch.autograd.Function):
    """Σ over the stored cells of w ((y - ŷ)² - zero_weight ŷ²), its gradients made in the forward pass, in blocks."""

    @staticmethod
    def forward(ctx: Any, counts: Tensor, left: Tensor, right: Tensor, weight: Tensor, zero_weight: float) -> Tensor:
        starts, columns, values = counts.crow_indices(), counts.col_indices(), counts.values().to(left.dtype)
        rows = torch.repeat_interleave(torch.arange(len(left), device=left.device), starts.diff())
        d_left, d_right = torch.zeros_like(left), torch.zeros_like(right)
        total = left.new_zeros((), dtype=torch.float64)
        for start in range(0, len(columns), _ENTRIES):
            cell = slice(start, start + _ENTRIES)
            i, j, y = rows[cell], columns[cell], values[cell]
            l_i, r_j, w = left[i], right[j], weight[j]
            guess = (l_i * r_j).sum(-1)
            total += (w * ((y - guess).square() - zero_weight * guess.square())).sum()
            grad = (2 * w * ((guess - y) - zero_weight * guess))[:, None]
            d_left.index_add_(0, i, grad * r_j)
            d_right.index_add_(0, j, grad * l_i)
        ctx.save_for_backward(d_left, d_right)
        return total.to(left.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # the gradients are saved numbers: their own gradient would be silently wrong
            raise UsageError("factorisation has no second derivative. Take its gradient without create_graph=True.")
        d_left, d_right = ctx.saved_tensors
        return None, grad_output[0] * d_left, grad_output[0] * d_right, None, None
