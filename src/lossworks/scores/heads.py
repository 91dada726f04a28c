"""The last layer, which turns hidden states into logits, chunk by chunk, and brings gradients back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core.errors import UsageError

if TYPE_CHECKING:
    from jaxtyping import Float

_BLOCK = 2048  # rows of a weight's gradient


class Head(ABC):
    """hidden [C, D] → logits [C, V]. ``tensors`` are what a gradient may be wanted of, besides the hidden states."""

    tensors: tuple[Tensor, ...]
    classes: int

    @abstractmethod
    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> Float[Tensor, "C V"]:
        """The logits, in ``out`` where that can be."""

    @abstractmethod
    def backward(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
        """The gradient into the hidden states, where ``wanted[0]``; gradients into ``tensors`` are added to ``sums``."""

    def check_repeatable(self) -> None:  # noqa: B027 (a head is repeatable unless it says otherwise)
        """Raise UsageError where the logits cannot be made twice alike."""


class Linear(Head):
    """hidden @ weightᵀ + bias."""

    def __init__(self, weight: Float[Tensor, "V D"], bias: Float[Tensor, "V"] | None) -> None:
        self.tensors = (weight,) if bias is None else (weight, bias)
        self.classes = len(weight)

    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> Float[Tensor, "C V"]:
        weight, *bias = self.tensors
        return torch.addmm(bias[0], hidden, weight.T, out=out) if bias else torch.mm(hidden, weight.T, out=out)

    def backward(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
        if sums[0] is not None and sums[0].dtype == d_logits.dtype:
            sums[0].addmm_(d_logits.T, hidden)
        elif sums[0] is not None:  # half precision: added up in float32, block by block while the product is in the cache
            height = _BLOCK if hidden.device.type == "cpu" else len(sums[0])
            for start in range(0, len(sums[0]), height):
                some = slice(start, start + height)
                sums[0][some].add_(d_logits[:, some].T @ hidden)
        if len(sums) > 1 and sums[1] is not None:
            sums[1].add_(d_logits.sum(0, dtype=sums[1].dtype))
        return d_logits @ self.tensors[0] if wanted[0] else None


class Module(Head):
    """Any module from hidden states to logits, position by position: a head with LoRA, two layers, a tied transform."""

    def __init__(self, module: nn.Module, hidden: Float[Tensor, "M D"]) -> None:
        self.tensors = tuple(module.parameters())
        self._module = module
        kind = hidden.device.type
        self._autocast = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        self._made: list[tuple[Tensor, Tensor]] = []  # hidden states and logits of the chunk at hand
        self.classes = self._run(hidden[:1], False).shape[-1]

    def _run(self, hidden: Tensor, gradient: bool) -> Tensor:
        kind, dtype, enabled = self._autocast
        with torch.set_grad_enabled(gradient), torch.autocast(kind, dtype, enabled):
            logits: Tensor = self._module(hidden)
        return logits

    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> Float[Tensor, "C V"]:
        own = hidden.detach().requires_grad_(gradient)
        logits = self._run(own, gradient)
        self._made = [(own, logits)] if gradient else []
        return out.copy_(logits.detach())

    def check_repeatable(self) -> None:
        drops = [part for part in self._module.modules() if isinstance(part, nn.modules.dropout._DropoutNd)]
        if any(part.training and part.p > 0 for part in drops):
            raise UsageError(
                "fused: values() makes the logits twice, and this head drops out at random. Use mean(), or head.eval()."
            )

    def backward(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
        own, logits = self._made.pop()
        asked = [t for t, want in zip((own, *self.tensors), wanted, strict=True) if want]
        found = iter(torch.autograd.grad(logits, asked, d_logits.to(logits.dtype), allow_unused=True))
        into = [next(found) if want else None for want in wanted]
        for total, part in zip(sums, into[1:], strict=True):
            if total is not None and part is not None:
                total.add_(part)
        return into[0]


def head(weight: Tensor | nn.Module, bias: Tensor | None, hidden: Float[Tensor, "M D"]) -> Head:
    """The head that is meant by ``weight``: a matrix [V, D], or a module.

    Raises:
        UsageError: shapes or dtypes that do not fit, or something else than these.
    """
    if isinstance(weight, nn.Module):
        if bias is not None:
            raise UsageError("fused: a module brings its own bias. Leave out bias=.")
        return Module(weight, hidden)
    if not isinstance(weight, Tensor):
        raise UsageError(
            f"fused: got {type(weight).__name__} as the head. "
            "Give a weight [V, D] or an nn.Module: of a function it is not known which tensors want gradients."
        )
    if weight.ndim != 2 or weight.shape[1] != hidden.shape[1]:
        raise UsageError(
            f"fused: hidden states of width {hidden.shape[1]} do not fit a weight {tuple(weight.shape)}. Give [V, D]."
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise UsageError(f"fused: got a bias {tuple(bias.shape)} for {len(weight)} outcomes.")
    given = {t.dtype for t in (hidden, weight, bias) if t is not None}
    if len(given) > 1:
        raise UsageError(f"fused: got {' and '.join(sorted(map(str, given)))} together. Cast them to one, or use torch.autocast.")
    return Linear(weight, bias)
