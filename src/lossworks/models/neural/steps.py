"""Three steps of a Transformer with their gradients written out: fewer passes over memory than autograd makes of them.

On a processor these steps, not the matrix products, are where a small Transformer loses its time. Each is a formula of plain
tensor operations, and holds on every device; what it keeps for the backward pass is what it was given, or less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from jaxtyping import Float


class RmsNorm(nn.Module):
    """x / √(mean x² + eps) · weight (Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Float[Tensor, "*position d"]) -> Float[Tensor, "*position d"]:
        normed: Tensor = _Norm.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return normed


class _Norm(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
        scale = (length.square() / x.shape[-1] + eps).rsqrt()
        ctx.save_for_backward(x, weight, scale)
        normed: Tensor = (x * scale).mul(weight).to(x.dtype)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        unit = x * scale
        product = unit * outer
        along = (product @ weight.to(product.dtype))[..., None] / x.shape[-1]
        slope = torch.addcmul((outer * weight).to(unit.dtype), unit, along, value=-1).mul_(scale)
        return slope.to(x.dtype), product.flatten(0, -2).sum(0).to(weight.dtype), None


def turned_heads(
    every: Float[Tensor, "B T many"], heads: int, kv_heads: int, cosines: Float[Tensor, "T h"], sines: Float[Tensor, "T h"]
) -> tuple[Float[Tensor, "B heads T h"], Float[Tensor, "B kv T h"], Float[Tensor, "B kv T h"]]:
    """Queries and keys, turned to their positions, and values, out of the numbers of all heads side by side.

    The pair (i, i + h/2) of a head turns together, by the angle of its position: x cos + (x rolled by h/2) sin, where the
    first half of ``sines`` is negative (Su et al. 2021, arXiv:2104.09864, eq. 34, in the order of Hugging Face's Llama).
    """
    found: tuple[Tensor, Tensor, Tensor] = _Heads.apply(every, heads, kv_heads, cosines, sines)  # type: ignore[no-untyped-call]
    return found


class _Heads(Function):
    @staticmethod
    def forward(ctx: Any, every: Tensor, heads: int, kv_heads: int, cosines: Tensor, sines: Tensor) -> tuple[Tensor, ...]:
        ctx.sizes = heads, kv_heads, kv_heads
        ctx.tables = cosines[:, None], sines[:, None]  # [T, 1, h], beside [B, T, heads, h]
        queries, keys, values = torch.split(every.view(*every.shape[:2], sum(ctx.sizes), -1), ctx.sizes, 2)
        return tuple(each.transpose(1, 2) for each in (_turned(queries, *ctx.tables), _turned(keys, *ctx.tables), values))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        cosines, sines = ctx.tables
        of_queries, of_keys, of_values = (each.transpose(1, 2) for each in outer)
        batch, size, _, width = of_values.shape
        slope = of_values.new_empty(batch, size, sum(ctx.sizes), width)
        queries, keys, values = torch.split(slope, ctx.sizes, 2)
        queries.copy_(_turned(of_queries, cosines, -sines))
        keys.copy_(_turned(of_keys, cosines, -sines))
        values.copy_(of_values)
        return slope.flatten(2), None, None, None, None


def _turned(x: Float[Tensor, "B T heads h"], cosines: Float[Tensor, "T one h"], sines: Float[Tensor, "T one h"]) -> Tensor:
    partner = x.roll(x.shape[-1] // 2, -1) * sines
    return partner.addcmul_(x.to(partner.dtype), cosines).to(x.dtype)


def gated(both: Float[Tensor, "*position two_f"]) -> Float[Tensor, "*position f"]:
    """silu(gate) · up, of gate and up side by side (Shazeer 2020, arXiv:2002.05202)."""
    found: Tensor = _Gated.apply(both)  # type: ignore[no-untyped-call]
    return found


class _Gated(Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        gate, up = both.chunk(2, -1)
        opened = nn.functional.silu(gate)
        ctx.save_for_backward(both, opened)
        return opened * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Tensor:
        both, opened = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        slope = torch.empty_like(both)
        of_gate, of_up = slope.chunk(2, -1)
        torch.mul(outer, opened, out=of_up)
        torch.ops.aten.silu_backward.grad_input(outer * up, gate, grad_input=of_gate)
        return slope
