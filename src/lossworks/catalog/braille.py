"""Panels for a terminal, in braille and without colour: the curves of a loss, and the trajectories of optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest

from plotille import Canvas

from .curve import Panel
from .trajectories import LOWEST, STEPS, Surface

WIDTH = 78
GUTTER = 8  # before a panel: the numbers of its y axis
_ROWS = 9
_DOT = 3  # columns of dots between those of a line that stands beside

Points = list[tuple[float, float]]
Ends = tuple[float, float]


def side_by_side(panels: list[list[str]]) -> Iterator[str]:
    """Panels of the same width, drawn by the functions below, in one frame."""
    wide = width(len(panels))
    for parts in zip_longest(*panels, fillvalue=""):
        yield "  ".join(f"{part:{wide}}" for part in parts).rstrip()


def width(panels: int) -> int:
    """What each of so many panels is wide."""
    return (WIDTH + 2) // panels - 2


def curve_panel(panel: Panel, x: tuple[float, ...], wide: int) -> list[str]:
    """A panel of a curve: own lines drawn, bars from 0, what stands beside dotted."""
    low, high = panel.limits()
    half = (x[1] - x[0]) / 2 if panel.bars else 0.0
    left, right = x[0] - half, x[-1] + half
    columns = wide - GUTTER - 1
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
            _joined(canvas, points)
    ticks = _tick(high, high - low), _tick(low, high - low)
    return _framed(panel.title, _rows(canvas), ticks, (f"{x[0]:g}", f"{x[-1]:g}"), columns)


def plane(surface: Surface, wide: int) -> list[str]:
    """The trajectories over the two weights; × is the minimum, ○ the start."""
    ends = (surface.x[0], surface.x[-1]), (surface.y[0], surface.y[-1])
    marks = [(surface.trajectories[0].points[0], "○"), (surface.minimum, "×")]
    rows, columns = _ways([list(one.points) for one in surface.trajectories], marks, ends, wide)
    across, along = ((f"{low:g}", f"{high:g}") for low, high in ends)
    return _framed("y over x", rows, (along[1], along[0]), across, columns)


def descent(surface: Surface, wide: int) -> list[str]:
    """The height after each step, on a logarithmic axis."""
    ways = [[(float(n), math.log10(max(height, LOWEST))) for n, height in enumerate(one.heights)] for one in surface.trajectories]
    logs = [height for way in ways for _, height in way]
    low, high = min(logs), max(*logs, min(logs) + 1)
    rows, columns = _ways(ways, [], ((0.0, float(STEPS)), (low, high)), wide)
    return _framed("height against steps", rows, (f"{10**high:.2g}", f"{10**low:.2g}"), ("0", str(STEPS)), columns)


def legend(names: Iterable[str]) -> list[str]:
    """Which trajectory is which, in as many lines as it takes."""
    lines = [""]
    for number, name in enumerate(names):
        said = f"· · {number} {name}" if number else f"━━━ {name}"
        if lines[-1] and len(lines[-1]) + 3 + len(said) > WIDTH - GUTTER - 1:
            lines.append("")
        lines[-1] += ("   " if lines[-1] else "") + said
    return [" " * (GUTTER + 1) + line for line in lines]


def _ways(
    ways: list[Points], marks: list[tuple[tuple[float, float], str]], ends: tuple[Ends, Ends], wide: int
) -> tuple[list[str], int]:
    """Rows of the first way drawn, the others dotted with their number at the end, and of the marks; and how wide they are."""
    columns = wide - GUTTER - 1
    (left, right), (low, high) = ends
    canvas = Canvas(columns, _ROWS, left, low, right, high)
    _joined(canvas, ways[0])
    for way in ways[1:]:
        for at in _dotted(way, (right - left) / (2 * columns), (high - low) / (4 * _ROWS)):
            canvas.point(*at)
    rows = _rows(canvas)
    for (x, y), mark in [*((way[-1], str(number)) for number, way in enumerate(ways) if number), *marks]:
        column = min(int((x - left) / (right - left) * columns), columns - 1)
        row = min(int((high - y) / (high - low) * _ROWS), _ROWS - 1)
        if left <= x <= right and low <= y <= high:
            rows[row] = rows[row][:column] + mark + rows[row][column + 1 :]
    return rows, columns


def _framed(title: str, rows: list[str], y: tuple[str, str], x: tuple[str, str], columns: int) -> list[str]:
    """Rows between their axes; ``y`` from the top, ``x`` from the left."""
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
    """A number of an axis, as exact as its place allows; 0 where no dot would tell it from 0."""
    if abs(y) < 1e-3 * span:
        return "0"
    return next(text for digits in (3, 2, 1) if len(text := f"{y:.{digits}g}") <= GUTTER)


def _every(points: Points, apart: float) -> Iterator[tuple[float, float]]:
    """Points on the line through ``points``, ``apart`` along x; the points themselves where they are further apart."""
    reached = points[0][0] if points else 0.0
    for (a, b), (c, d) in pairwise(points):
        while reached < c:
            yield reached, b + (d - b) * (reached - a) / (c - a)
            reached += apart


def _dotted(points: Points, across: float, along: float) -> Iterator[tuple[float, float]]:
    """Points on the line through ``points``, some dots apart as they are seen; a dot is ``across`` wide and ``along`` high."""
    due = 0.0
    for (a, b), (c, d) in pairwise(points):
        length = math.hypot((c - a) / across, (d - b) / along)
        while due < length:
            yield a + (c - a) * due / length, b + (d - b) * due / length
            due += _DOT
        due -= length
