"""Curves as plain data: lines over one x in one or two panels, with a caption that says what was held fixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

_MUCH_WIDER = 5.0  # a reference line that spans so many times more than the lines themselves is clipped
_ROUNDING = 1e-9  # a line that varies by at most this share of its size is flat


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a panel; ``y`` has a value for each x, None where it is not finite. ``reference``: shown for comparison."""

    name: str
    y: tuple[float | None, ...]
    reference: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Lines that share both axes. ``bars``: the points are discrete."""

    title: str
    lines: tuple[Line, ...]
    bars: bool = False

    def limits(self) -> tuple[float, float]:
        """The lowest and highest y to show; bars start at 0."""
        own = [0.0] * self.bars + [y for line in self.lines if not line.reference for y in line.y if y is not None]
        low, high = min(own, default=0.0), max(own, default=0.0)
        flat = high - low <= _ROUNDING * max(abs(low), abs(high))
        reference = [y for line in self.lines if line.reference for y in line.y if y is not None]
        if reference and (flat or max(reference) - min(reference) <= _MUCH_WIDER * (high - low)):
            return min(low, *reference), max(high, *reference)
        return (low - 0.5, high + 0.5) if flat else (low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Panels over the same x. ``caption`` says what was run and what was held fixed."""

    caption: str
    x_name: str
    x: tuple[float, ...]
    panels: tuple[Panel, ...]


def panel(title: str, own: tuple[str, Tensor], reference: tuple[str, Tensor] | None = None, *, bars: bool = False) -> Panel:
    """A panel of one named line, and one for comparison."""
    lines = [Line(name=own[0], y=numbers(own[1]))]
    if reference is not None:
        lines.append(Line(name=reference[0], y=numbers(reference[1]), reference=True))
    return Panel(title=title, lines=tuple(lines), bars=bars)


def value_and_grad(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """The values of an elementwise function, and the gradients that training would get."""
    at = at.clone().requires_grad_()
    values = function(at)
    return values.detach(), torch.autograd.grad(values.sum(), at)[0]


def value_and_grad_curve(
    caption: str,
    x: tuple[str, Tensor],
    against: str,
    own: tuple[str, tuple[Tensor, Tensor]],
    reference: tuple[str, tuple[Tensor, Tensor]] | None = None,
) -> Curve:
    """The curve of a loss: value and gradient.

    Args:
        caption: what was run, and what was held fixed.
        x: name and values [n] of the x axis.
        against: name of the variable that the gradient is taken with respect to.
        own: the spec of the loss, its values [n] and its gradients [n].
        reference: the same of a loss to compare with; None: of none.
    """
    panels = (
        panel("value", (own[0], own[1][0]), reference and (reference[0], reference[1][0])),
        panel(f"gradient w.r.t. {against}", (own[0], own[1][1]), reference and (reference[0], reference[1][1])),
    )
    return Curve(caption=caption, x_name=x[0], x=tuple(x[1].tolist()), panels=panels)


def numbers(values: Iterable[float] | Tensor) -> tuple[float | None, ...]:
    """Finite numbers, and None for the others."""
    given = values.tolist() if isinstance(values, Tensor) else values
    return tuple(value if math.isfinite(value) else None for value in given)
