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
    def pull(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
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

    def pull(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
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

    def __init__(self, module: nn.Module, classes: int) -> None:
        self.tensors = tuple(module.parameters())
        self.classes = classes
        self._module = module

    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> Float[Tensor, "C V"]:
        with torch.set_grad_enabled(gradient):
            self._hidden = hidden.detach().requires_grad_(gradient)
            self._logits: Tensor = self._module(self._hidden)
        return out.copy_(self._logits.detach())

    def check_repeatable(self) -> None:
        if any(isinstance(part, nn.Dropout) and part.training and part.p > 0 for part in self._module.modules()):
            raise UsageError(
                "fused: values() makes the logits twice, and this head drops out at random. Use mean(), or head.eval()."
            )

    def pull(self, hidden: Tensor, d_logits: Tensor, wanted: Sequence[bool], sums: Sequence[Tensor | None]) -> Tensor | None:
        asked = [t for t, want in zip((self._hidden, *self.tensors), wanted, strict=True) if want]
        found = iter(torch.autograd.grad(self._logits, asked, d_logits.to(self._logits.dtype), allow_unused=True))
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
        if type(weight) is nn.Linear and bias is None:  # not of its subclasses: they may do more than multiply
            return head(weight.weight, weight.bias, hidden)
        if bias is not None:
            raise UsageError("fused: a module brings its own bias. Leave out bias=.")
        with torch.no_grad():
            classes = weight(hidden[:1].detach()).shape[-1]
        return Module(weight, classes)
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
