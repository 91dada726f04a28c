"""Curves as plain data: lines over one x in one panel or two, with the words that say what was held fixed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

_MUCH_WIDER = 5.0  # what stands beside is cut off where it spans so many times more than the lines themselves
_ROUNDING = 1e-9  # a line that varies by no more than this share of its size is flat


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a panel; ``y`` has a value for each x, None where it is not finite. ``beside``: it is there to compare with."""

    name: str
    y: tuple[float | None, ...]
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Lines that share their two axes. ``bars``: the points stand for themselves, with nothing between them."""

    title: str
    lines: tuple[Line, ...]
    bars: bool = False

    def limits(self) -> tuple[float, float]:
        """The lowest and the highest y to show; bars start from 0."""
        own = [0.0] * self.bars + [y for line in self.lines if not line.beside for y in line.y if y is not None]
        low, high = min(own, default=0.0), max(own, default=0.0)
        flat = high - low <= _ROUNDING * max(abs(low), abs(high))
        beside = [y for line in self.lines if line.beside for y in line.y if y is not None]
        if beside and (flat or max(beside) - min(beside) <= _MUCH_WIDER * (high - low)):
            return min(low, *beside), max(high, *beside)
        return (low - 0.5, high + 0.5) if flat else (low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Panels over the same x. ``caption`` says what was run, and what was held fixed meanwhile."""

    caption: str
    x_name: str
    x: tuple[float, ...]
    panels: tuple[Panel, ...]


def panel(title: str, own: tuple[str, Tensor], beside: tuple[str, Tensor] | None = None, *, bars: bool = False) -> Panel:
    """A panel of one line, named, and one to compare it with."""
    lines = [Line(name=own[0], y=numbers(own[1]))]
    if beside is not None:
        lines.append(Line(name=beside[0], y=numbers(beside[1]), beside=True))
    return Panel(title=title, lines=tuple(lines), bars=bars)


def slopes(function: Callable[[Tensor], Tensor], at: Tensor) -> tuple[Tensor, Tensor]:
    """The values of a function that takes each point by itself, and its slopes: those that training would get."""
    at = at.clone().requires_grad_()
    values = function(at)
    return values.detach(), torch.autograd.grad(values.sum(), at)[0]


def value_and_slope(
    caption: str,
    x: tuple[str, Tensor],
    against: str,
    own: tuple[str, tuple[Tensor, Tensor]],
    beside: tuple[str, tuple[Tensor, Tensor]] | None = None,
) -> Curve:
    """The curve of a loss: its value, and its slope against what the words ``against`` name."""
    panels = (
        panel("value", (own[0], own[1][0]), beside and (beside[0], beside[1][0])),
        panel(f"slope against {against}", (own[0], own[1][1]), beside and (beside[0], beside[1][1])),
    )
    return Curve(caption=caption, x_name=x[0], x=tuple(x[1].tolist()), panels=panels)


def numbers(values: Iterable[float] | Tensor) -> tuple[float | None, ...]:
    """Finite numbers, and None for the others."""
    given = values.tolist() if isinstance(values, Tensor) else values
    return tuple(value if math.isfinite(value) else None for value in given)
