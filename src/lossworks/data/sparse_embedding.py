"""A table looked up by bags of weighted ids: the first layer of every model that reads sparse text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .batch import Batch
from .row_gradient import RowGradient, row_sums

if TYPE_CHECKING:
    from jaxtyping import Float


class SparseEmbedding(nn.Module):
    """``weight`` [rows, width]; a batch gives, for each example, the sum of its ids' rows times their values.

    On the CPU the gradient goes, as the rows it touches, into ``gradient`` where an optimiser has put one there;
    otherwise, and on any other device, it is the usual dense ``weight.grad``. ``is_head``: its rows add up to the outputs.
    """

    def __init__(self, weight: Float[Tensor, "rows width"], *, is_head: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.is_head = is_head
        self.gradient: RowGradient | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copies; the gradient is the business of the optimiser that put it there."""
        return {**self.__dict__, "gradient": None}

    def forward(self, batch: Batch) -> Float[Tensor, "N width"]:
        if self.weight.device.type == "cpu":
            sums: Tensor = _Sums.apply(self.weight, self.gradient, batch)  # type: ignore[no-untyped-call]
            return sums
        ids, starts, values = batch.tensors(self.weight.device)
        return nn.functional.embedding_bag(ids, self.weight, starts, mode="sum", per_sample_weights=values.to(self.weight.dtype))


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, gradient: RowGradient | None, batch: Batch) -> Tensor:
        ctx.batch, ctx.gradient, ctx.shape = batch, gradient, weight.shape
        return torch.from_numpy(row_sums(batch, weight.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor | None, None, None]:
        grad = grad_output[0].contiguous().numpy()
        if ctx.gradient is not None:
            ctx.gradient.add(ctx.batch, grad)
            return None, None, None
        rows, width = ctx.shape
        alone = RowGradient(rows, width, grad.dtype)
        alone.add(ctx.batch, grad)
        return torch.from_numpy(alone.total), None, None  # new, so zero wherever nothing was added
