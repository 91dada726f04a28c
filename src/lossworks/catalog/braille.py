"""Terminal plots in braille, without colour: the curves of a loss and the trajectories of optimizers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest

from plotille import Canvas

from .curve import Panel
from .trajectories import LOWEST, STEPS, Surface

WIDTH = 78
GUTTER = 8  # columns for the numbers of the y axis
_ROWS = 9
_DOT = 3  # distance between the dots of a reference line, in dots

Points = list[tuple[float, float]]
Ends = tuple[float, float]


def side_by_side(panels: list[list[str]]) -> Iterator[str]:
    """Panels of the same width next to each other."""
    wide = width(len(panels))
    for parts in zip_longest(*panels, fillvalue=""):
        yield "  ".join(f"{part:{wide}}" for part in parts).rstrip()


def width(panels: int) -> int:
    """The width of each panel."""
    return (WIDTH + 2) // panels - 2


def curve_panel(panel: Panel, x: tuple[float, ...], wide: int) -> list[str]:
    """A panel of a curve: lines solid, bars from 0, reference lines dotted."""
    low, high = panel.limits()
    half = (x[1] - x[0]) / 2 if panel.bars else 0.0
    left, right = x[0] - half, x[-1] + half
    columns = wide - GUTTER - 1
    canvas = Canvas(columns, _ROWS, left, low, right, high)
    for line in panel.lines:
        points = [(a, b) for a, b in zip(x, line.y, strict=True) if b is not None]
        if line.reference:
            for a, b in _every(points, (right - left) / (2 * columns) * _DOT):
                canvas.point(a, b)
        elif panel.bars:
            for a, b in points:
                canvas.line(a, 0.0, a, b)
        else:
            _joined(canvas, points)
    ticks = _tick(high, high - low), _tick(low, high - low)
    return _framed(panel.title, _rows(canvas), ticks, (f"{x[0]:g}", f"{x[-1]:g}"), columns)


def plane(surface: Surface, wide: int) -> list[str]:
    """The trajectories in the plane; × is the minimum, ○ the start."""
    ends = (surface.x[0], surface.x[-1]), (surface.y[0], surface.y[-1])
    marks = [(surface.trajectories[0].points[0], "○"), (surface.minimum, "×")]
    rows, columns = _plotted([list(one.points) for one in surface.trajectories], marks, ends, wide)
    across, along = ((f"{low:g}", f"{high:g}") for low, high in ends)
    return _framed("y over x", rows, (along[1], along[0]), across, columns)


def descent(surface: Surface, wide: int) -> list[str]:
    """The function value after each step, on a logarithmic axis."""
    trajectories = [
        [(float(n), math.log10(max(value, LOWEST))) for n, value in enumerate(one.values)] for one in surface.trajectories
    ]
    logs = [value for one in trajectories for _, value in one]
    low, high = min(logs), max(*logs, min(logs) + 1)
    rows, columns = _plotted(trajectories, [], ((0.0, float(STEPS)), (low, high)), wide)
    return _framed("function value (log) by step", rows, (f"{10**high:.2g}", f"{10**low:.2g}"), ("0", str(STEPS)), columns)


def legend(names: Iterable[str]) -> list[str]:
    """The legend of the trajectories, wrapped."""
    lines = [""]
    for number, name in enumerate(names):
        entry = f"· · {number} {name}" if number else f"━━━ {name}"
        if lines[-1] and len(lines[-1]) + 3 + len(entry) > WIDTH - GUTTER - 1:
            lines.append("")
        lines[-1] += ("   " if lines[-1] else "") + entry
    return [" " * (GUTTER + 1) + line for line in lines]


def _plotted(
    trajectories: list[Points], marks: list[tuple[tuple[float, float], str]], ends: tuple[Ends, Ends], wide: int
) -> tuple[list[str], int]:
    """Rows with the first trajectory solid, the others dotted and numbered at their ends, and the marks; and their width."""
    columns = wide - GUTTER - 1
    (left, right), (low, high) = ends
    canvas = Canvas(columns, _ROWS, left, low, right, high)
    _joined(canvas, trajectories[0])
    for one in trajectories[1:]:
        for at in _dotted(one, (right - left) / (2 * columns), (high - low) / (4 * _ROWS)):
            canvas.point(*at)
    rows = _rows(canvas)
    for (x, y), mark in [*((one[-1], str(number)) for number, one in enumerate(trajectories) if number), *marks]:
        column = min(int((x - left) / (right - left) * columns), columns - 1)
        row = min(int((high - y) / (high - low) * _ROWS), _ROWS - 1)
        if left <= x <= right and low <= y <= high:
            rows[row] = rows[row][:column] + mark + rows[row][column + 1 :]
    return rows, columns


def _framed(title: str, rows: list[str], y: tuple[str, str], x: tuple[str, str], columns: int) -> list[str]:
    """Rows with their axes; ``y`` from the top, ``x`` from the left."""
    marks = {0: y[0], len(rows) - 1: y[1]}
    inside = [f"{marks.get(number, ''):>{GUTTER}}│{row}" for number, row in enumerate(rows)]
    axis = f"{'':{GUTTER}}└{'─' * columns}"
    return [f"{'':{GUTTER + 1}}{title}", *inside, axis, f"{'':{GUTTER + 1}}{x[0]:{columns - len(x[1])}}{x[1]}"]


def _rows(canvas: Canvas) -> list[str]:
    drawn: str = canvas.plot()
    return drawn.replace("\N{BRAILLE PATTERN BLANK}", " ").split("\n")


def _joined(canvas: Canvas, points: Points) -> None:
    for (a, b), (c, d) in pairwise(points):
        canvas.line(a, b, c, d)


def _tick(y: float, span: float) -> str:
    """A number of an axis, as precise as the space allows; 0 if indistinguishable from 0."""
    if abs(y) < 1e-3 * span:
        return "0"
    return next(text for digits in (3, 2, 1) if len(text := f"{y:.{digits}g}") <= GUTTER)


def _every(points: Points, apart: float) -> Iterator[tuple[float, float]]:
    """Points on the line through ``points``, ``apart`` along x."""
    reached = points[0][0] if points else 0.0
    for (a, b), (c, d) in pairwise(points):
        while reached < c:
            yield reached, b + (d - b) * (reached - a) / (c - a)
            reached += apart


def _dotted(points: Points, across: float, along: float) -> Iterator[tuple[float, float]]:
    """Points on the line through ``points``, a few dots apart on the screen; a dot is ``across`` wide and ``along`` high."""
    due = 0.0
    for (a, b), (c, d) in pairwise(points):
        length = math.hypot((c - a) / across, (d - b) / along)
        while due < length:
            yield a + (c - a) * due / length, b + (d - b) * due / length
            due += _DOT
        due -= length
