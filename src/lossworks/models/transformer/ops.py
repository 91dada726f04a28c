"""Three steps of a Transformer with their gradients written out: fewer passes over memory than autograd makes of them.

These steps, not the matrix products, are where a small Transformer loses its time on a processor. In float32 there they are
compiled (``passes``); elsewhere they are plain tensor operations. They are differentiable once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...core.threads import share
from . import kernels

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
        if _compiled(x, weight):
            x = x.contiguous()
            found, scale = torch.empty_like(x), x.new_empty(*x.shape[:-1], 1)
            share(kernels.norm, x.numel(), _rows(x), weight.detach().numpy(), eps, _rows(found), scale.view(-1).numpy())
        else:
            length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
            scale = (length.square() / x.shape[-1] + eps).rsqrt()
            found = (x * scale).mul(weight).to(x.dtype)
        ctx.save_for_backward(x, weight, scale)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        if _compiled(x, weight, outer):
            slope, blocks = torch.empty_like(x), -(-x.numel() // x.shape[-1] // kernels.BLOCK)
            by_block = x.new_empty(blocks, x.shape[-1])
            given = _rows(x), weight.detach().numpy(), scale.view(-1).numpy(), _rows(outer.contiguous())
            share(kernels.norm_slope, 2 * x.numel(), *given, _rows(slope), by_block.numpy())
            return slope, by_block.sum(0), None
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
        ctx.tables = cosines, sines
        parts = every.view(*every.shape[:2], sum(ctx.sizes), -1)
        turned = _turned(parts, heads + kv_heads, cosines, sines)
        queries, keys = torch.split(turned, ctx.sizes[:2], 2)
        return queries.transpose(1, 2), keys.transpose(1, 2), parts[:, :, heads + kv_heads :].transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        first, shared, _ = ctx.sizes
        cosines, sines = ctx.tables
        of_queries, of_keys, of_values = (each.transpose(1, 2) for each in outer)
        slope = of_values.new_empty(*of_values.shape[:2], sum(ctx.sizes), of_values.shape[3])
        for of, place, count in ((of_queries, 0, first), (of_keys, first, shared)):
            _turn_into(slope, place, of, count, cosines, sines, -1)
        slope[:, :, first + shared :] = of_values
        return slope.flatten(2), None, None, None, None


def _turned(parts: Float[Tensor, "B T many h"], count: int, cosines: Tensor, sines: Tensor) -> Float[Tensor, "B T count h"]:
    """The first ``count`` heads, turned."""
    found = parts.new_empty(*parts.shape[:2], count, parts.shape[3])
    _turn_into(found, 0, parts, count, cosines, sines, 1)
    return found


def _turn_into(found: Tensor, place: int, parts: Tensor, count: int, cosines: Tensor, sines: Tensor, way: int) -> None:
    """Turn ``count`` heads of ``parts``, and write them into ``found`` from the head ``place`` on."""
    if _compiled(parts, cosines):
        given, where = (each.view(-1, *each.shape[2:]).numpy() for each in (parts.contiguous(), found))
        share(kernels.turn, found.numel(), given, 0, where, place, count, cosines.numpy(), sines.numpy(), way)
        return
    x, cosine, sine = parts[:, :, :count], cosines[:, None], sines[:, None] * way  # [T, 1, h], beside [B, T, heads, h]
    found[:, :, place : place + count] = torch.addcmul(x * cosine, x.roll(x.shape[-1] // 2, -1), sine)


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
        slope = torch.empty_like(both)
        if _compiled(both, outer) and both.is_contiguous():
            share(
                kernels.gate_slope, both.numel(), _rows(both), _rows(opened.contiguous()), _rows(outer.contiguous()), _rows(slope)
            )
            return slope
        gate, up = both.chunk(2, -1)
        of_gate, of_up = slope.chunk(2, -1)
        torch.mul(outer, opened, out=of_up)
        torch.ops.aten.silu_backward.grad_input(outer * up, gate, grad_input=of_gate)
        return slope


def _compiled(*tensors: Tensor) -> bool:
    """Whether the compiled pass serves: float32 on the processor, and numbers at hand rather than a graph to be made."""
    plain = all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)
    return plain and not torch.compiler.is_compiling()


def _rows(x: Tensor) -> Any:
    return x.detach().view(-1, x.shape[-1]).numpy()
