"""The pictures, one function each, as plain Plotly figures.

A colour is spelled as "@name" and stands for the page's CSS variable ``--name``, which the page's script puts in;
so light, dark and paper share one figure. Text from the user is escaped, because Plotly reads tags in labels.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from ..explain import Curve, Panel

Json = dict[str, Any]
NUMBERED = 20  # classes up to which a confusion matrix has room for its numbers,
NAMED = 30  # and for the names beside it
DEEP = 0.6  # share of the row from which a cell is too deep in colour for ordinary text
POINTS = 1500  # points a curve is thinned to


def loss_curve(events: Sequence[Json]) -> Json | None:
    """The training loss, raw and smoothed, and the same loss on the validation texts."""
    train = [(e["epoch"], e["loss"]) for e in events if e["event"] == "train" and e.get("loss") is not None]
    valid = [(e["epoch"], e["loss"]) for e in events if e["event"] == "valid" and e.get("loss") is not None]
    if not train and not valid:
        return None
    raw, smooth = _thin(train), _thin(_smooth(train))
    traces = (
        [
            _line(raw, "train", color="@accent-faint", width=1, hover=False, showlegend=False),
            _line(smooth, "train, smoothed", color="@accent", width=2.5),
        ]
        if train
        else []
    )
    if valid:
        traces.append(_line(valid, "validation", color="@second", width=2, marked=True))
    scale = _log_ticks([y for _, y in raw + valid])
    return _figure(traces, xaxis=_axis("epoch"), yaxis=_axis("loss", **scale), legend=_LEGEND)


def metric_curve(events: Sequence[Json], name: str, title: str, best: float | None) -> Json | None:
    """The metric that chooses the best epoch, after every validation, with that epoch marked."""
    points = [(e["epoch"], e[name]) for e in events if e["event"] == "valid" and e.get(name) is not None]
    if not points:
        return None
    figure = _figure(
        [_line(points, title, color="@second", width=2, marked=True)],
        xaxis=_axis("epoch"),
        yaxis=_axis(title),
        showlegend=False,
    )
    if best is not None:
        x, y = min(points, key=lambda point: abs(point[0] - best))
        figure["data"].append({
            "type": "scatter", "mode": "markers", "x": [x], "y": [y], "hoverinfo": "skip",
            "marker": {"size": 13, "color": "@surface", "line": {"color": "@second", "width": 3}},
        })  # fmt: skip
        figure["layout"]["shapes"] = [_rule(x, x, 0, 1, yref="paper")]
        figure["layout"]["annotations"] = [
            {"x": x, "y": 1, "yref": "paper", "yanchor": "bottom", "text": "best", "showarrow": False,
             "font": {"color": "@muted"}}
        ]  # fmt: skip
    return figure


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str]) -> Json:
    """True label by row, predicted by column; the colour is the share of the row, the number the count."""
    shares = [[count / max(sum(row), 1) for count in row] for row in table]
    names = [html.escape(label) for label in labels]
    ticks = {
        "type": "category", "showgrid": False, "showline": False, "showticklabels": len(names) <= NAMED,
        "tickmode": "array", "tickvals": names, "ticktext": [_short(label) for label in labels],
    }  # fmt: skip
    gap, deepest = (2, "@heat") if len(names) <= NUMBERED else (0, "@accent")
    traces: list[Json] = [{
        "type": "heatmap", "x": names, "y": names, "z": shares, "zmin": 0, "zmax": 1, "customdata": table,
        "xgap": gap, "ygap": gap, "colorscale": [[0, "@cell"], [1, deepest]], "showscale": False,
        "hovertemplate": "true %{y}, predicted %{x}: %{customdata:,} texts, %{z:.0%} of the row<extra></extra>",
    }]  # fmt: skip
    if len(names) <= NUMBERED:
        cells = [(true, said) for true in range(len(names)) for said in range(len(names))]
        traces.append({
            "type": "scatter", "mode": "text", "hoverinfo": "skip", "showlegend": False,
            "x": [names[said] for _, said in cells], "y": [names[true] for true, _ in cells],
            "text": [f"{table[true][said]:,}" for true, said in cells],
            "textfont": {
                "size": 15 if len(names) < 8 else 11,
                "color": ["@on-heat" if shares[true][said] > DEEP else "@text" for true, said in cells],
            },
        })  # fmt: skip
    return _figure(
        traces, height=min(620, max(320, 44 * len(names) + 120)), margin={"l": 56, "r": 12, "t": 72, "b": 12},
        xaxis=_axis("predicted", side="top", **ticks), yaxis=_axis("true", autorange="reversed", **ticks),
    )  # fmt: skip


def reliability(before: Sequence[Json], after: Sequence[Json], scaled: bool) -> Json:
    """Stated confidence against the share that was right, above how many statements stand behind each point."""
    series = [("after scaling" if scaled else "the model", after, "@accent", "circle")]
    if scaled:
        series.insert(0, ("before scaling", before, "@second", "circle-open"))
    traces: list[Json] = []
    for name, bins, color, symbol in series:
        x = [b["confidence"] for b in bins]
        count = [b["count"] for b in bins]
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": name, "x": x, "y": [b["accuracy"] for b in bins],
            "customdata": count, "line": {"color": color, "width": 1.5},
            "marker": {"size": 9, "symbol": symbol, "color": color},
            "hovertemplate": "stated %{x:.2f}, right %{y:.2f}, of %{customdata:,}<extra></extra>",
        })  # fmt: skip
        traces.append({
            "type": "bar", "x": [(min(int(c * 15), 14) + 0.5) / 15 for c in x], "y": count, "yaxis": "y2",
            "marker": {"color": color},
            "showlegend": False, "hovertemplate": "%{y:,} statements<extra></extra>",
        })  # fmt: skip
    low = min([b["confidence"] for _, bins, _, _ in series for b in bins], default=0)
    start = max(0.0, int(low * 10) / 10 - 0.02)
    return _figure(
        traces, height=440, barmode="group", bargap=0.35, legend=_LEGEND,
        xaxis=_axis("stated confidence", range=[start, 1.02], anchor="y2"),
        yaxis=_axis("share right", range=[-0.03, 1.05], domain=[0.32, 1]),
        yaxis2=_axis("count", domain=[0, 0.22], nticks=3),
        shapes=[_rule(start, 1, start, 1)],
    )  # fmt: skip


def scatter(points: Sequence[Sequence[float]]) -> Json:
    """Predicted against true numbers; on the dashed line the two agree."""
    true, predicted = [p[0] for p in points], [p[1] for p in points]
    low, high = min(true, default=0), max(true, default=1)
    return _figure(
        [{
            "type": "scatter", "mode": "markers", "x": true, "y": predicted,
            "marker": {"color": "@accent", "size": 6, "opacity": 0.55},
            "hovertemplate": "true %{x:.4g}, predicted %{y:.4g}<extra></extra>",
        }],
        height=440, xaxis=_axis("true"), yaxis=_axis("predicted"), shapes=[_rule(low, high, low, high)],
    )  # fmt: skip


def curve_panel(curve: Curve, panel: Panel) -> Json:
    """One panel of a curve: what is shown in full, what stands beside it dotted."""
    low, high = panel.limits()
    room = 0.05 * (high - low)
    traces: list[Json] = []
    for line in panel.lines:
        points = [(x, y) for x, y in zip(curve.x, line.y, strict=True) if y is not None]
        color = "@second" if line.beside else "@accent"
        trace = _line(points, html.escape(line.name), color=color, width=2 if line.beside else 2.5)
        if line.beside:
            trace["line"]["dash"] = "dot"
        elif panel.bars:
            trace |= {"type": "bar", "marker": {"color": color}}
            del trace["mode"], trace["line"]
        traces.append(trace | {"hovertemplate": "%{x:.4g}: %{y:.4g}<extra></extra>"})
    return _figure(
        traces, xaxis=_axis(curve.x_name), yaxis=_axis(panel.title, range=[low - room, high + room]),
        legend=_LEGEND, showlegend=True,
    )  # fmt: skip


_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "@muted"}}


def _figure(traces: Sequence[Json], *, height: int = 320, **layout: Any) -> Json:
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


def _axis(title: str, **more: Any) -> Json:
    # No zooming: on a phone it would catch the finger that means to scroll.
    return {
        "title": {"text": title, "standoff": 8, "font": {"color": "@muted", "size": 13}},
        "gridcolor": "@line", "zeroline": False, "linecolor": "@line", "tickfont": {"color": "@muted", "size": 12},
        "fixedrange": True, "automargin": True, "ticks": "", **more,
    }  # fmt: skip


def _line(
    points: Sequence[tuple[float, float]],
    name: str,
    *,
    color: str,
    width: float,
    marked: bool = False,
    hover: bool = True,
    **more: Any,
) -> Json:
    trace = {
        "type": "scatter", "mode": "lines+markers" if marked else "lines", "name": name,
        "x": [x for x, _ in points], "y": [y for _, y in points], "line": {"color": color, "width": width},
    }  # fmt: skip
    if marked:
        trace["marker"] = {"size": 6, "color": color}
    reading = {"hovertemplate": "epoch %{x:.2f}: %{y:.4g}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    return trace | reading | more


def _rule(x0: float, x1: float, y0: float, y1: float, yref: str = "y") -> Json:
    line = {"color": "@muted", "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x0, "x1": x1, "y0": y0, "y1": y1, "yref": yref, "line": line, "layer": "below"}


def _short(label: str) -> str:
    return html.escape(label if len(label) <= 18 else label[:17] + "…")


def _log_ticks(values: Sequence[float]) -> Json:
    """A logarithmic axis where the values span a factor of 50 or more, else nothing."""
    low, high = min(values), max(values)
    if low <= 0 or high < 50 * low:
        return {}
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 3)]
    return {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Exponential moving average over a fortieth of the run, corrected for its start."""
    keep = 1 - 1 / max(len(points) / 40, 1)
    total = weight = 0.0
    smooth = []
    for x, y in points:
        total, weight = keep * total + y, keep * weight + 1
        smooth.append((x, total / weight))
    return smooth


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `POINTS` of them, evenly spaced, the last one among them."""
    step = -(-len(points) // POINTS) or 1
    return points[::-step][::-1]
