"""The charts of a registered member: its curves, and the trajectories of an optimizer."""

from __future__ import annotations

import html
import math

from ..catalog import Curve, Panel, Surface, Trajectory
from ..catalog.trajectories import LOWEST, STEPS
from .plot import LEGEND, Json, axis, dots, figure, line


def curve_panel(curve: Curve, panel: Panel) -> Json:
    """One panel of a curve; reference lines are dotted."""
    low, high = panel.limits()
    room = 0.05 * (high - low)
    traces: list[Json] = []
    for each in panel.lines:
        points = [(x, y) for x, y in zip(curve.x, each.y, strict=True) if y is not None]
        color = "@second" if each.reference else "@accent"
        width, dash = (2, "dot") if each.reference else (2.5, None)
        trace = line(points, html.escape(each.name), color=color, width=width, dash=dash)
        if panel.bars and not each.reference:
            trace |= {"type": "bar", "marker": {"color": color}}
            del trace["mode"], trace["line"]
        traces.append(trace | {"hovertemplate": "%{x:.4g}: %{y:.4g}<extra></extra>"})
    return figure(
        traces, xaxis=axis(curve.x_name), yaxis=axis(panel.title, range=[low - room, high + room]),
        legend=LEGEND, showlegend=True,
    )  # fmt: skip


_DEEPEST = 1e-4  # share of the highest value below which the contour plot has one colour
_STYLES = (("@accent", "solid", 3.0), ("@second", "dot", 2.0), ("@good", "dash", 2.0))


def plane(surface: Surface) -> Json:
    """Contour plot of the surface on a logarithmic scale, with the trajectories and the minimum."""
    highest = max(map(max, surface.values))
    logs = [[math.log10(max(height, highest * _DEEPEST)) for height in row] for row in surface.values]
    traces: list[Json] = [{
        "type": "contour", "x": surface.x, "y": surface.y, "z": logs, "hoverinfo": "skip", "showscale": False,
        "colorscale": [[0, "@deep"], [1, "@high"]], "zmin": math.log10(highest * _DEEPEST), "zmax": math.log10(highest),
        "contours": {"coloring": "heatmap", "size": 0.25, "start": -9, "end": 9},
        "line": {"color": "@level", "width": 0.7},
    }]  # fmt: skip
    for each, (color, dash, width) in _styled(surface):
        trace = line(list(each.points), html.escape(each.name), color=color, width=width, dash=dash)
        traces.append(trace | {
            "customdata": [[step, height] for step, height in enumerate(each.values)],
            "hovertemplate": "step %{customdata[0]}: (%{x:.3g}, %{y:.3g}), value %{customdata[1]:.3g}<extra></extra>",
        })  # fmt: skip
    start = surface.trajectories[0].points[0]
    for place, symbol, what in ((start, "circle-open", "start"), (surface.minimum, "star", "minimum")):
        marker = {"size": 11, "symbol": symbol, "color": "@text", "line": {"width": 2, "color": "@text"}}
        hovertemplate = f"{what} (%{{x:.3g}}, %{{y:.3g}})<extra></extra>"
        traces.append(dots([place], marker, name=what, hovertemplate=hovertemplate, showlegend=False))
    ends = {"x": [surface.x[0], surface.x[-1]], "y": [surface.y[0], surface.y[-1]]}
    return figure(
        traces, height=420, showlegend=False, xaxis=axis("weight x", range=ends["x"]), yaxis=axis("weight y", range=ends["y"])
    )


def descent(surface: Surface) -> Json:
    """The function value after each step, on a logarithmic axis."""
    traces = []
    for each, (color, dash, width) in _styled(surface):
        points = [(float(step), max(height, LOWEST)) for step, height in enumerate(each.values)]
        trace = line(points, html.escape(each.name), color=color, width=width, dash=dash)
        traces.append(trace | {"hovertemplate": "step %{x}: %{y:.3g}<extra></extra>"})
    return figure(
        traces, height=420, xaxis=axis("step", range=[0, STEPS]),
        yaxis=axis("function value", type="log", exponentformat="power", dtick=1),
        legend=LEGEND | {"traceorder": "reversed"}, showlegend=True,
    )  # fmt: skip


def _styled(surface: Surface) -> list[tuple[Trajectory, tuple[str, str, float]]]:
    """Reference lines first, so that the member's own line is on top."""
    return list(zip(surface.trajectories, _STYLES, strict=False))[::-1]
