"""The last layer, which turns hidden states into logits, chunk by chunk, and brings gradients back: as tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core.errors import UsageError
from ..core.machine import fast_dtype

if TYPE_CHECKING:
    from jaxtyping import Float

_ROWS = 128, 256  # rows of a task that makes gradients of hidden states: a quarter of a chunk within these
_WIDTH = 512, 1024  # outcomes of a task that makes logits or a weight's gradient: an eighth of all within these, but
_LEAST = 1 << 25  # no fewer than make so many products of two numbers (about 1 ms)

Task = Callable[[], None]


class Head(ABC):
    """hidden [C, D] → logits [C, V]. ``tensors`` are what a gradient may be wanted of, besides the hidden states.

    What is to be done is given as tasks, which write to places of their own; how it is cut depends on the shapes alone.
    """

    tensors: tuple[Tensor, ...]
    classes: int

    @abstractmethod
    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> list[Task]:
        """Write the logits to ``out``."""

    @abstractmethod
    def backward(self, hidden: Tensor, d_logits: Tensor, sums: Sequence[Tensor | None], first: bool) -> list[Task]:
        """Write the gradient into the hidden states to ``sums[0]``, and add those into ``tensors`` to the others.

        sums: None for a gradient that is not wanted. ``first``: they hold nothing yet.
        """

    def check_repeatable(self) -> None:  # noqa: B027 (a head is repeatable unless it says otherwise)
        """Raise UsageError where the logits cannot be made twice alike."""


class Linear(Head):
    """hidden @ weightᵀ + bias."""

    def __init__(self, weight: Float[Tensor, "V D"], bias: Float[Tensor, "V"] | None) -> None:
        self.tensors = (weight,) if bias is None else (weight, bias)
        self.classes = len(weight)
        half = weight.dtype in (torch.bfloat16, torch.float16)
        self._widened = half and weight.device.type == "cpu" and not _multiplies_halves()

    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> list[Task]:
        weight, *bias = self.tensors

        def make(some: slice) -> None:
            into = None if self._widened else out[:, some]
            states, rows = self._read(hidden), self._read(weight[some])
            made = (
                torch.addmm(self._read(bias[0][some]), states, rows.T, out=into) if bias else torch.mm(states, rows.T, out=into)
            )
            if into is None:
                out[:, some] = made

        return [partial(make, some) for some in self._outcomes(hidden)]

    def backward(self, hidden: Tensor, d_logits: Tensor, sums: Sequence[Tensor | None], first: bool) -> list[Task]:
        d_hidden, d_weight, *d_bias = sums

        def into_hidden(rows: slice) -> None:
            assert d_hidden is not None
            steps = self._outcomes(hidden) if self._widened else [slice(None)]
            d_hidden[rows] = sum(self._read(d_logits[rows, some]) @ self._read(self.tensors[0][some]) for some in steps)

        def into_tensors(some: slice) -> None:
            part, states = self._read(d_logits[:, some]), self._read(hidden)
            if d_weight is not None and d_weight.dtype == part.dtype:
                d_weight[some].addmm_(part.T, states, beta=0 if first else 1)
            elif d_weight is not None:  # half precision: added up in float32, while the product is in the cache
                _add(d_weight[some], part.T @ states, first)
            if d_bias and d_bias[0] is not None:
                _add(d_bias[0][some], part.sum(0, dtype=d_bias[0].dtype), first)

        height = _within(len(hidden) // 4, *_ROWS) if hidden.device.type == "cpu" else len(hidden)
        rows = [] if d_hidden is None else _ranges(len(hidden), height)
        outcomes = [] if all(total is None for total in sums[1:]) else self._outcomes(hidden)
        return [*(partial(into_hidden, some) for some in rows), *(partial(into_tensors, some) for some in outcomes)]

    def _read(self, part: Tensor) -> Tensor:
        return part.float() if self._widened else part

    def _outcomes(self, hidden: Tensor) -> list[slice]:
        if hidden.device.type != "cpu":
            return [slice(None)]
        width = max(_within(self.classes // 8, *_WIDTH), _LEAST // max(1, hidden.numel()))
        return _ranges(self.classes, -(-width // 64) * 64)  # whole lines of the cache


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

    def logits(self, hidden: Float[Tensor, "C D"], out: Float[Tensor, "C V"], gradient: bool) -> list[Task]:
        def make() -> None:
            own = hidden.detach().requires_grad_(gradient)
            logits = self._run(own, gradient)
            self._made = [(own, logits)] if gradient else []
            out.copy_(logits.detach())

        return [make]

    def check_repeatable(self) -> None:
        drops = [part for part in self._module.modules() if isinstance(part, nn.modules.dropout._DropoutNd)]
        if any(part.training and part.p > 0 for part in drops):
            raise UsageError(
                "fused: values() makes the logits twice, and this head drops out at random. Use mean(), or head.eval()."
            )

    def backward(self, hidden: Tensor, d_logits: Tensor, sums: Sequence[Tensor | None], first: bool) -> list[Task]:
        def make() -> None:
            own, logits = self._made.pop()
            asked = [(t, total) for t, total in zip((own, *self.tensors), sums, strict=True) if total is not None]
            of, into = [t for t, _ in asked], d_logits.to(logits.dtype)
            found: tuple[Tensor | None, ...] = torch.autograd.grad(logits, of, into, allow_unused=True)
            for (tensor, total), part in zip(asked, found, strict=True):
                _add(total, torch.zeros_like(total) if part is None else part, first or tensor is own)

        return [make]


@cache
def _multiplies_halves() -> bool:
    """Whether it is quick in them; a processor that is not takes two or three times as long as for a product in float32."""
    return fast_dtype() == "bfloat16"


def _add(total: Tensor, part: Tensor, first: bool) -> None:
    total.copy_(part) if first else total.add_(part)


def _within(wanted: int, least: int, most: int) -> int:
    return max(least, min(most, wanted))


def _ranges(whole: int, part: int) -> list[slice]:
    return [slice(start, min(start + part, whole)) for start in range(0, whole, part)]


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
