"""Values that are the same on every process, and those that are a process's own: each way between them is the other's derivative.

    partial sums → their sum       all-reduce forward, identity backward    (Megatron's g)
    same value → each one's work   identity forward, all-reduce backward    (Megatron's f)

Source: Shoeybi et al. 2019, arXiv:1909.08053, sec. 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def summed(part: Tensor, group: ProcessGroup | None) -> Tensor:
    """The sum of all processes' parts."""
    total: Tensor = _Total.apply(part, group)  # type: ignore[no-untyped-call]
    return total


def replicated(hidden: Tensor, group: ProcessGroup | None = None) -> Tensor:
    """``hidden``, which is the same on every process and enters work that is each one's own: its gradient is summed over them."""
    same: Tensor = _Replicated.apply(hidden, group)  # type: ignore[no-untyped-call]
    return same


class _Total(torch.autograd.Function):
    """Partial sums to their sum; the loss counts once, so each part's gradient is the sum's."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, group: ProcessGroup | None) -> Tensor:
        ctx.group = group
        return reduced(part, distributed.ReduceOp.SUM, group)

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor, None]:
        return replicated(grad_output[0], ctx.group), None


class _Replicated(torch.autograd.Function):
    """One value to each process's own work; its gradient is the sum of what each one's work sends back."""

    @staticmethod
    def forward(ctx: Any, same: Tensor, group: ProcessGroup | None) -> Tensor:
        ctx.group = group
        return same.view_as(same)

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor, None]:
        return summed(grad_output[0], ctx.group), None


def reduced(tensor: Tensor, how: Any, group: ProcessGroup | None) -> Tensor:
    """All processes' tensors as one, without gradient."""
    result = tensor.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(result, how, group=group)
    return result
