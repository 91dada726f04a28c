"""The two ways to differentiate a chunked head: gradients made in the forward pass, or logits recomputed in the backward."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.errors import UsageError
from .chunked_head import ChunkedHead, Outcome, Read


class Call(NamedTuple):
    """What is asked of a chunked head: a loss or a statistic, and which of hidden states and head tensors want a gradient."""

    chunked: ChunkedHead
    read: Read
    wanted: list[bool]
    weights: Tensor | None
    also: tuple[str, ...]

    def run(self, hidden: Tensor, grad_output: Tensor | None) -> Outcome:
        """One pass, with a gradient where ``grad_output`` is given."""
        return self.chunked.run(self.read, hidden, self.wanted, grad_output, self.also)


class Mean(torch.autograd.Function):
    """Σ weight · loss, its gradient made in the forward pass and handed out by the first backward; then made anew."""

    @staticmethod
    def forward(ctx: Any, call: Call, hidden: Tensor, *tensors: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        ctx.call = call
        ctx.save_for_backward(hidden, *tensors)
        done = call.run(hidden, call.weights if any(call.wanted) else None)
        ctx.gradients = done.gradients
        assert call.weights is not None
        return (call.weights * done.values).sum(), done.also

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, also: None) -> tuple[Tensor | None, ...]:
        given = _saved(ctx)
        gradients, ctx.gradients = ctx.gradients, None  # handed out: what becomes of them is the caller's
        if gradients is None:
            gradients = ctx.call.run(given[0], ctx.call.weights).gradients
        if grad_output.device.type != "cpu" or grad_output != 1:  # a look at it is free on a CPU alone, and mostly spares a pass
            gradients = [g if g is None else g.mul_(grad_output) for g in gradients]
        return None, *(g if g is None else g.to(t.dtype) for g, t in zip(gradients, given, strict=True))


class Values(torch.autograd.Function):
    """One value a position; the backward pass makes the logits again."""

    @staticmethod
    def forward(ctx: Any, call: Call, hidden: Tensor, *tensors: Tensor) -> Tensor:
        ctx.call = call
        ctx.save_for_backward(hidden, *tensors)
        return call.run(hidden, None).values

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        given = _saved(ctx)
        gradients = ctx.call.run(given[0], grad_output).gradients
        return None, *(g if g is None else g.to(t.dtype) for g, t in zip(gradients, given, strict=True))


def _saved(ctx: Any) -> tuple[Tensor, ...]:
    """What was given; PyTorch raises here where it was changed in place or the graph is gone."""
    if torch.is_grad_enabled():
        raise UsageError("fused scores have no second derivative. Use scores.dense, or leave out create_graph=True.")
    return tuple(ctx.saved_tensors)
