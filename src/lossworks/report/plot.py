"""Plotly figures, axes and lines as plain values.

A colour "@name" stands for the CSS variable ``--name``, which the page's script fills in ("@name/33": with two hexadecimal
digits of opacity), so that light mode, dark mode and print share one figure. User text is escaped: Plotly reads tags in labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
POINTS = 1500  # a curve is thinned to at most this many points

LEGEND = {
    "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "@muted"}, "traceorder": "normal",
}  # fmt: skip


def figure(traces: Sequence[Json], *, height: int = 320, **layout: Any) -> Json:
    """Traces in the layout that all charts share."""
    return {
        "data": list(traces),
        "layout": {
            "height": height,
            "margin": {"l": 56, "r": 12, "t": 34, "b": 48},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@text"},
            "hoverlabel": {"bgcolor": "@surface", "bordercolor": "@line", "font": {"color": "@text"}},
            "dragmode": False,
            **layout,
        },
    }


def axis(title: str, **more: Any) -> Json:
    """An axis of a two-dimensional figure."""
    # No zooming: on a phone it would interfere with scrolling.
    return {
        "title": {"text": title, "standoff": 8, "font": {"color": "@muted", "size": 13}},
        "gridcolor": "@line", "zeroline": False, "linecolor": "@line", "tickfont": {"color": "@muted", "size": 12},
        "fixedrange": True, "automargin": True, "ticks": "", **more,
    }  # fmt: skip


def line(
    points: Sequence[tuple[float, float]],
    name: str,
    *,
    color: str,
    width: float,
    dash: str | None = None,
    marked: bool = False,
    hover: bool = True,
    **more: Any,
) -> Json:
    """A line through points; ``marked``: with a marker on each, as on the one or two points of a run that has just begun."""
    marked = marked or (hover and len(points) < 3)
    look: Json = {"color": color, "width": width} | ({"dash": dash} if dash else {})
    trace = {
        "type": "scatter", "mode": "lines+markers" if marked else "lines", "name": name,
        "x": [x for x, _ in points], "y": [y for _, y in points], "line": look,
    }  # fmt: skip
    if marked:
        trace["marker"] = {"size": 6, "color": color}
    hovering = {"hovertemplate": "epoch %{x:.2f}: %{y:.4g}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    return trace | hovering | more


def dots(points: Sequence[tuple[Any, Any]], marker: Json, **more: Any) -> Json:
    """Points without a line between them."""
    x, y = [x for x, _ in points], [y for _, y in points]
    return {"type": "scatter", "mode": "markers", "x": x, "y": y, "marker": marker, **more}


def ring(point: tuple[float, float], color: str, **more: Any) -> Json:
    """A ring around the best point of a line."""
    marker = {"size": 14, "color": "@surface", "line": {"color": color, "width": 3}}
    return dots([point], marker, hoverinfo="skip", **more)


def rule(x0: float, x1: float, y0: float, y1: float, yref: str = "y") -> Json:
    """A dotted line behind the traces."""
    line = {"color": "@muted", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "yref": yref, "line": line, "layer": "below"}


def log_ticks(values: Sequence[float]) -> Json:
    """A logarithmic axis if the values span a factor of 50 or more, else nothing."""
    low, high = min(values), max(values)
    if low <= 0 or high < 50 * low:
        return {}
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 3)]
    return {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `POINTS` of the points, evenly spaced, including the last."""
    step = -(-len(points) // POINTS) or 1
    return points[::-step][::-1]
