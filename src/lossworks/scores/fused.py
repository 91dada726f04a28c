"""The scores of a last layer whose logits never stand whole: what is given is looked at, and chunked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from .base import flat
from .chunked import Fused
from .chunked_head import ChunkedHead
from .dense import check_given, check_range
from .eager import eager
from .heads import head

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from .teacher import Teacher


@eager
def fused(
    hidden: Float[Tensor, "*position D"],
    weight: Float[Tensor, "V D"] | nn.Module,
    target: Int[Tensor, "*position"],
    *,
    bias: Float[Tensor, "V"] | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
    keep: Bool[Tensor, "*position"] | None = None,
    shift: int = 0,
    teacher: Teacher | None = None,
    negatives: Int[Tensor, "*position k"] | None = None,
) -> Fused:
    """Scores of a last layer, hidden @ weightᵀ + bias, whose logits never stand whole in memory.

    Args:
        hidden: the states before the last layer, in float64, float32, bfloat16 or float16.
        weight: the layer's weight; or a module from [C, D] to [C, V], such as a layer with LoRA, whose parameters get gradients.
        target: the outcome that was seen; anything where ``keep`` is False.
        bias: the layer's bias.
        softcap: logits become softcap · tanh(logits / softcap).
        temperature: then they are divided by this.
        keep: which positions count; the others are dropped before the products. (How many there are must be known: on CUDA a
            mask, like weights of a mean, costs one wait for the device.)
        shift: position t is scored against the target at t + shift along the last position axis; the last ``shift`` are left
            out. ``keep`` and weights stand where the targets stand; values and statistics, at the position that predicts.
        teacher: scores (dense, or fused) or ``TopK`` at the same positions.
        negatives: ids to push down; below 0 is padding.

    Under ``torch.autocast`` the products run in its dtype. Under ``torch.compile`` the graph is broken here.

    Raises:
        UsageError: shapes, dtypes or values that do not fit.
    """
    shape = hidden.shape[:-1]
    if target.shape != shape:
        raise UsageError(
            f"fused: got hidden states {tuple(hidden.shape)} and target {tuple(target.shape)}. Give one target a position."
        )
    check_given(target, teacher, negatives)
    if (softcap is not None and not 0 < softcap < float("inf")) or not 0 < temperature < float("inf"):
        raise UsageError(f"fused: softcap is {softcap}, temperature {temperature}; wanted finite numbers above 0.")
    if isinstance(layer := weight, nn.Linear) and type(layer) is nn.Linear and bias is None:  # a subclass may do more
        weight, bias = layer.weight, layer.bias
    if torch.is_autocast_enabled(hidden.device.type) and isinstance(weight, Tensor):
        dtype = torch.get_autocast_dtype(hidden.device.type)
        hidden, weight, bias = hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    states = flat(hidden)
    wanted, kept = _shifted(target, keep, shift)
    chunked = ChunkedHead(
        head=head(weight, bias, states),
        target=wanted.flatten(),
        kept=kept,
        softcap=softcap,
        temperature=temperature,
        teacher=teacher,
        negatives=None if negatives is None else flat(negatives),
        dtype=states.dtype,
    )
    check_range(wanted, chunked.head.classes, kept)
    return Fused(chunked, shape, states, shift)


def _shifted(target: Tensor, keep: Tensor | None, shift: int) -> tuple[Tensor, Tensor | None]:
    """The target that each position is scored against, and which positions count (None: all)."""
    if keep is not None and (keep.shape != target.shape or keep.dtype != torch.bool):
        raise UsageError(
            f"fused: got keep {tuple(keep.shape)} of {keep.dtype}. Give a boolean a position, {tuple(target.shape)}."
        )
    if shift:
        if not target.ndim or not 0 < shift <= target.shape[-1]:
            raise UsageError(f"fused: shift is {shift} for positions {tuple(target.shape)}; wanted 0 up to the last axis.")
        target = target.roll(-shift, -1)
        if keep is None:  # known without a look at the device
            return target, torch.arange(target.numel(), device=target.device).view(target.shape)[..., :-shift].flatten()
        keep = keep.roll(-shift, -1) & (torch.arange(target.shape[-1], device=keep.device) < target.shape[-1] - shift)
    return target, None if keep is None else keep.flatten().nonzero().squeeze(-1).to(target.device)
