"""The charts of a loss landscape: a rotatable surface, and a contour plot."""

from __future__ import annotations

import bisect
import math

from ..surfaces.landscape import Landscape
from .plot import LEGEND, Json, axis, dots, figure, line

_WIDE = 50  # values that span a larger factor get a logarithmic axis
_LIFT = 0.012  # share of the range by which lines float above the surface, to avoid flicker
_SCALE = [[0, "@low"], [0.5, "@middle"], [1, "@peak"]]

Grid = tuple[tuple[float | None, ...], ...]


def solid(found: Landscape, title: str, *, held_out: bool) -> Json:
    """The surface, rotated by mouse or arrow keys, with the trajectory on it."""
    grid = _grid(found, held_out)
    heights, log = _heights(grid)
    low, high = _ends(heights)
    lift = _LIFT * (high - low or 1.0)
    places = [(spot.x, spot.y) for spot in found.trajectory]
    on = [_on(found, heights, place) for place in places]
    raised = [None if z is None else z + lift for z in on]
    own = [spot.held_out if held_out else spot.loss for spot in found.trajectory]
    traces: list[Json] = [
        {
            "type": "surface", "x": found.x, "y": found.y, "z": heights, "customdata": grid, "showscale": False,
            "colorscale": _SCALE, "lighting": {"ambient": 0.75, "diffuse": 0.45, "specular": 0.05, "roughness": 0.9},
            "contours": {"z": {"show": True, "start": low, "end": high, "size": (high - low or 1.0) / 18, "color": "@level"}},
            "hovertemplate": f"({{%x:.3g}}, {{%y:.3g}}): {title.lower()} %{{customdata:.4g}}<extra></extra>".replace("{%", "%{"),
        },
        {
            "type": "scatter3d", "mode": "lines+markers", "name": "training",
            "x": [x for x, _ in places], "y": [y for _, y in places], "z": raised,
            "customdata": [[spot.step, loss] for spot, loss in zip(found.trajectory, own, strict=True)],
            "line": {"color": "@second", "width": 6}, "marker": {"size": 3, "color": "@second"},
            "hovertemplate": "step %{customdata[0]:,}: %{customdata[1]:.4g} at the actual weights<extra></extra>",
        },
    ]  # fmt: skip
    for name, place, symbol in _marks(found):
        z = _on(found, heights, place)
        traces.append({
            "type": "scatter3d", "mode": "markers", "name": name, "x": [place[0]], "y": [place[1]],
            "z": [None if z is None else z + 2 * lift], "hovertemplate": f"{name}<extra></extra>",
            "marker": {"size": 7, "symbol": symbol[0], "color": "@text", "line": {"color": "@surface", "width": 1}},
        })  # fmt: skip
    ticks: Json = {}
    if log:
        powers = range(math.floor(low), math.ceil(high) + 1)
        ticks = {"tickmode": "array", "tickvals": list(powers), "ticktext": [f"{10.0**power:g}" for power in powers]}
    scene = {
        "xaxis": _edge("x"), "yaxis": _edge("y"), "zaxis": _edge(title.lower()) | ticks, "dragmode": "turntable",
        "aspectmode": "manual", "aspectratio": {"x": 1.5, "y": 1.2, "z": 0.75},
        "camera": {"eye": {"x": 0.95, "y": -1.7, "z": 0.9}, "center": {"x": 0, "y": 0, "z": -0.15}},
    }  # fmt: skip
    return figure(
        traces, height=560, scene=scene, margin={"l": 0, "r": 0, "t": 8, "b": 0}, showlegend=True, legend=LEGEND | {"y": 0.99},
        uirevision="kept",
    )  # fmt: skip


def above(found: Landscape, title: str, *, held_out: bool) -> Json:
    """The contour plot with the trajectory, its start, its end, and the saved weights."""
    grid = _grid(found, held_out)
    heights, _ = _heights(grid)
    own = [spot.held_out if held_out else spot.loss for spot in found.trajectory]
    path = line([(spot.x, spot.y) for spot in found.trajectory], "training", color="@second", width=2.5, marked=True)
    path |= {
        "customdata": [[spot.step, loss] for spot, loss in zip(found.trajectory, own, strict=True)],
        "hovertemplate": "step %{customdata[0]:,}: %{customdata[1]:.4g} at the actual weights<extra></extra>",
    }
    traces: list[Json] = [
        {
            "type": "contour", "x": found.x, "y": found.y, "z": heights, "customdata": grid, "showscale": False, "ncontours": 24,
            "colorscale": _SCALE, "contours": {"coloring": "heatmap"}, "line": {"color": "@level", "width": 0.8},
            "hovertemplate": f"({{%x:.3g}}, {{%y:.3g}}): {title.lower()} %{{customdata:.4g}}<extra></extra>".replace("{%", "%{"),
        },
        path,
    ]  # fmt: skip
    for name, place, symbol in _marks(found):
        marker = {"size": 12, "symbol": symbol[1], "color": "@text", "line": {"color": "@surface", "width": 1.5}}
        traces.append(dots([place], marker, name=name, hovertemplate=f"{name} (%{{x:.3g}}, %{{y:.3g}})<extra></extra>"))
    along, across = (f"{100 * share:.3g} % of the squared length" for share in found.shares)
    names = (
        (f"first direction, {along}", f"second direction, {across}")
        if found.plane == "trajectory"
        else ("one direction", "another")
    )
    return figure(
        traces, height=500, xaxis=axis(names[0], range=[found.x[0], found.x[-1]], showgrid=False), legend=LEGEND, showlegend=True,
        yaxis=axis(names[1], range=[found.y[0], found.y[-1]], showgrid=False),
    )  # fmt: skip


def _marks(found: Landscape) -> list[tuple[str, tuple[float, float], tuple[str, str]]]:
    start, end = found.trajectory[0], found.trajectory[-1]
    marks = [("start", (start.x, start.y), ("circle", "circle-open"))]
    if end.step != found.kept.step:
        marks.append(("end", (end.x, end.y), ("square", "square")))
    return [*marks, ("saved" if end.step != found.kept.step else "end, saved", (0.0, 0.0), ("diamond", "diamond"))]


def _grid(found: Landscape, held_out: bool) -> Grid:
    return found.held_out if held_out and found.held_out is not None else found.loss


def _heights(grid: Grid) -> tuple[list[list[float | None]], bool]:
    """The heights to draw; logarithms if they span a large factor."""
    every = [value for row in grid for value in row if value is not None]
    log = bool(every) and min(every) > 0 and max(every) > _WIDE * min(every)
    return [[value if value is None or not log else math.log10(value) for value in row] for row in grid], log


def _ends(heights: list[list[float | None]]) -> tuple[float, float]:
    every = [value for row in heights for value in row if value is not None]
    return min(every, default=0.0), max(every, default=1.0)


def _on(found: Landscape, heights: list[list[float | None]], place: tuple[float, float]) -> float | None:
    """The height of the surface at a point, by bilinear interpolation."""
    column, right = _between(found.x, place[0])
    row, up = _between(found.y, place[1])
    corners = [
        (heights[row + r][column + c], (up if r else 1 - up) * (right if c else 1 - right)) for r in (0, 1) for c in (0, 1)
    ]
    return None if any(z is None for z, _ in corners) else sum(z * weight for z, weight in corners if z is not None)


def _between(points: tuple[float, ...], at: float) -> tuple[int, float]:
    number = min(max(bisect.bisect_right(points, at) - 1, 0), len(points) - 2)
    return number, (at - points[number]) / (points[number + 1] - points[number])


def _edge(title: str) -> Json:
    return {
        "title": {"text": title, "font": {"color": "@muted", "size": 12}}, "color": "@muted", "gridcolor": "@line",
        "showbackground": False, "zeroline": False, "tickfont": {"color": "@muted", "size": 10}, "showspikes": False, "nticks": 6,
    }  # fmt: skip
