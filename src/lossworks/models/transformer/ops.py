"""Three steps of a Transformer with their gradients written out: fewer passes over memory than autograd makes of them.

These steps, not the matrix products, are where a small Transformer loses its time on a CPU. In float32 there they are compiled
(``kernels``); elsewhere they are plain tensor operations. They are differentiable once.
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
            rows = _rows(x)
            given = rows, rows[:0], _lent(weight), eps, rows
            share(kernels.add_norm, x.numel(), *given, scale.view(-1).numpy(), _rows(found))
        else:
            length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
            scale = (length.square() / x.shape[-1] + eps).rsqrt()
            found = (x * scale).mul(weight).to(x.dtype)
        ctx.save_for_backward(x, weight, scale)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        if _compiled(x, weight, grad_output):
            grad, blocks = torch.empty_like(x), -(-x.numel() // x.shape[-1] // kernels.BLOCK)
            by_block, rows = x.new_empty(blocks, x.shape[-1]), _rows(x)
            given = rows, _lent(weight), scale.view(-1).numpy(), _rows(grad_output.contiguous()), rows[:0]
            share(kernels.norm_backward, 2 * x.numel(), *given, _rows(grad), rows[:0], by_block.numpy())
            return grad, by_block.sum(0), None
        unit = x * scale
        product = unit * grad_output
        along = (product @ weight.to(product.dtype))[..., None] / x.shape[-1]
        grad = torch.addcmul((grad_output * weight).to(unit.dtype), unit, along, value=-1).mul_(scale)
        return grad.to(x.dtype), product.flatten(0, -2).sum(0).to(weight.dtype), None


def rotary_heads(
    qkv: Float[Tensor, "B T many"], heads: int, kv_heads: int, cosines: Float[Tensor, "T h"], sines: Float[Tensor, "T h"]
) -> tuple[Float[Tensor, "B heads T h"], Float[Tensor, "B kv T h"], Float[Tensor, "B kv T h"]]:
    """Queries and keys, rotated to their positions, and values, out of all heads side by side.

    The pair (i, i + h/2) of a head is rotated together, by the angle of its position: x cos + (x rolled by h/2) sin, where the
    first half of ``sines`` is negative (Su et al. 2021, arXiv:2104.09864, eq. 34, in the order of Hugging Face's Llama).
    """
    found: tuple[Tensor, Tensor, Tensor] = _Rotary.apply(qkv, heads, kv_heads, cosines, sines)  # type: ignore[no-untyped-call]
    return found


class _Rotary(Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, heads: int, kv_heads: int, cosines: Tensor, sines: Tensor) -> tuple[Tensor, ...]:
        ctx.tables = cosines, sines
        apart = qkv.view(*qkv.shape[:2], heads + 2 * kv_heads, -1).transpose(1, 2)
        parts = torch.split(apart, [heads, kv_heads, kv_heads], 1)
        if _compiled(qkv, cosines):
            found = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in parts]
            arrays = (each.numpy() for each in found)
            share(kernels.apply_rotary, qkv.numel(), _rows(qkv.contiguous()), cosines.numpy(), sines.numpy(), *arrays)
            return tuple(found)
        queries, keys, values = parts
        return _rotated(queries, cosines, sines), _rotated(keys, cosines, sines), values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor, None, None, None, None]:
        cosines, sines = ctx.tables
        queries, keys, values = grad_output
        if _compiled(*grad_output, cosines):
            texts, _, size, width = values.shape
            grad = values.new_empty(texts, size, (queries.shape[1] + 2 * keys.shape[1]) * width)
            arrays = (each.contiguous().numpy() for each in grad_output)
            share(kernels.rotary_backward, grad.numel(), *arrays, cosines.numpy(), sines.numpy(), _rows(grad))
        else:
            rotated = _rotated(queries, cosines, -sines), _rotated(keys, cosines, -sines), values
            grad = torch.cat(rotated, 1).transpose(1, 2).flatten(2)
        return grad, None, None, None, None


def _rotated(x: Float[Tensor, "B heads T h"], cosines: Tensor, sines: Tensor) -> Float[Tensor, "B heads T h"]:
    return torch.addcmul(x * cosines, x.roll(x.shape[-1] // 2, -1), sines)


def swiglu(gate_up: Float[Tensor, "*position two_f"]) -> Float[Tensor, "*position f"]:
    """silu(gate) · up, of gate and up side by side (Shazeer 2020, arXiv:2002.05202)."""
    found: Tensor = _SwiGlu.apply(gate_up)  # type: ignore[no-untyped-call]
    return found


class _SwiGlu(Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        if _compiled(gate_up):
            found = gate_up.new_empty(*gate_up.shape[:-1], gate_up.shape[-1] // 2)
            share(kernels.swiglu, gate_up.numel(), _rows(gate_up.contiguous()), _rows(found))
            return found
        gate, up = gate_up.chunk(2, -1)
        return nn.functional.silu(gate) * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        if _compiled(gate_up, grad_output):
            gate_up = gate_up.contiguous()
            grad = torch.empty_like(gate_up)
            share(kernels.swiglu_backward, gate_up.numel(), _rows(gate_up), _rows(grad_output.contiguous()), _rows(grad))
            return grad
        gate, up = gate_up.chunk(2, -1)
        of_gate: Tensor = torch.ops.aten.silu_backward(grad_output * up, gate)
        return torch.cat([of_gate, grad_output * nn.functional.silu(gate)], -1)


def _compiled(*tensors: Tensor) -> bool:
    """Whether the compiled kernel serves: float32 on the CPU, and values at hand rather than a graph to be made."""
    plain = all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)
    return plain and not torch.compiler.is_compiling()


def _lent(weight: Tensor) -> Any:
    """A copy: PyTorch does not let go of memory that NumPy has seen, and weights gathered from processes must be let go of."""
    return weight.detach().clone().numpy()


def _rows(x: Tensor) -> Any:
    return x.detach().view(-1, x.shape[-1]).numpy()
