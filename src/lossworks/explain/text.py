"""A member as a terminal shows it: facts, and curves in braille, in 78 columns and without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import Any

from plotille import Canvas

from .curve import Curve, Panel
from .facts import Facts
from .member import Member

WIDTH = 78
_GUTTER = 8  # before a panel: the numbers of its y axis
_ROWS = 9
_DOT = 3  # columns of dots between those of a line that stands beside


def text(members: tuple[Member, ...]) -> str:
    """All there is to show, one member after the other."""
    return "\n\n".join("\n".join(_member(member)) for member in members)


def value(key: Any) -> str:
    """A hyperparameter's value as it is spelled in specs."""
    if isinstance(key, tuple):
        return "/".join(map(value, key)) or "none"
    return str(key).lower() if isinstance(key, bool) else "none" if key is None else str(key)


def _member(member: Member) -> Iterator[str]:
    yield f"{member.kind} {member.spec}"
    for facts in member.terms:
        yield ""
        if len(member.terms) > 1:
            yield facts.name
        yield from textwrap.wrap(facts.formula, WIDTH, initial_indent="  ", subsequent_indent="  ")
        if facts.remarks:
            yield from textwrap.wrap(facts.remarks, WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""
        yield from _slots(facts)
    yield from _slot("serves", ", ".join(member.serves))
    yield from _slot("needs", ", ".join(member.needs))
    for curve in member.curves:
        yield ""
        yield from textwrap.wrap(curve.caption, WIDTH)
        yield from _curve(curve)


def _slots(facts: Facts) -> Iterator[str]:
    keys = (
        f"{key.name}={value(key.value)}" + ("" if key.value == key.default else f" (default {value(key.default)})")
        for key in facts.keys
    )
    for name in ("domain", "limit", "gradient"):
        yield from _slot(name, getattr(facts, name))
    yield from _slot("keys", ", ".join(keys))
    yield from _slot("source", facts.source)


def _slot(name: str, said: str) -> list[str]:
    return textwrap.wrap(said, WIDTH, initial_indent=f"  {name:10}", subsequent_indent=" " * 12) if said else []


def _curve(curve: Curve) -> Iterator[str]:
    """The panels side by side, the x axis, and which line is which."""
    wide = (WIDTH + 2) // len(curve.panels) - 2
    drawn = [_panel(panel, curve.x, wide) for panel in curve.panels]
    yield ""
    for parts in zip_longest(*drawn, fillvalue=""):
        yield "  ".join(f"{part:{wide}}" for part in parts).rstrip()
    yield " " * (_GUTTER + 1) + curve.x_name
    lines = {line.name: line.beside for panel in curve.panels for line in panel.lines}
    yield " " * (_GUTTER + 1) + "   ".join(f"{'· · ' if beside else '━━━ '}{name}" for name, beside in lines.items())


def _panel(panel: Panel, x: tuple[float, ...], wide: int) -> list[str]:
    low, high = panel.limits()
    half = (x[1] - x[0]) / 2 if panel.bars else 0.0
    left, right = x[0] - half, x[-1] + half
    columns = wide - _GUTTER - 1
    canvas = Canvas(columns, _ROWS, left, low, right, high)
    for line in panel.lines:
        points = [(a, b) for a, b in zip(x, line.y, strict=True) if b is not None]
        if line.beside:
            for a, b in _every(points, (right - left) / (2 * columns) * _DOT):
                canvas.point(a, b)
        elif panel.bars:
            for a, b in points:
                canvas.line(a, 0.0, a, b)
        else:
            for (a, b), (c, d) in pairwise(points):
                canvas.line(a, b, c, d)
    drawn = canvas.plot().replace("\N{BRAILLE PATTERN BLANK}", " ").split("\n")
    marks = {0: _tick(high, high - low), _ROWS - 1: _tick(low, high - low)}
    rows = [f"{marks.get(row, ''):>{_GUTTER}}│{drawn[row]}" for row in range(_ROWS)]
    ends = f"{x[0]:g}", f"{x[-1]:g}"
    axis = f"{'':{_GUTTER}}└{'─' * columns}"
    return [f"{'':{_GUTTER + 1}}{panel.title}", *rows, axis, f"{'':{_GUTTER + 1}}{ends[0]:{columns - len(ends[1])}}{ends[1]}"]


def _tick(y: float, span: float) -> str:
    """A number of an axis, as exact as its place allows; 0 where no dot would tell it from 0."""
    if abs(y) < 1e-3 * span:
        return "0"
    return next(text for digits in (3, 2, 1) if len(text := f"{y:.{digits}g}") <= _GUTTER)


def _every(points: list[tuple[float, float]], apart: float) -> Iterator[tuple[float, float]]:
    """Points on the line through ``points``, ``apart`` along x; the points themselves where they are further apart."""
    reached = points[0][0] if points else 0.0
    for (a, b), (c, d) in pairwise(points):
        while reached < c:
            yield reached, b + (d - b) * (reached - a) / (c - a)
            reached += apart
