"""Charts of training health: gradient norm, update-to-weight ratios, clipping, learning rate and its search."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .plot import LEGEND, Json, axis, dots, figure, line, log_ticks, ring, thin

Points = list[tuple[float, float]]
_FEWEST = 3  # points that are worth a chart
RULE_OF_THUMB = 1e-3  # norm of the update by norm of the weights
_ROLES = (
    ("matrix", "@accent", "solid"),
    ("embedding", "@second", "dot"),
    ("head", "@good", "dash"),
    ("vector", "@unsure", "dashdot"),
)


def gradient_norm(events: Sequence[Json], clip: float | None) -> Json | None:
    """The gradient norm before clipping, and the clipping threshold; none of a run too short for a line."""
    points = logged(events, "gradient_norm")
    if len(points) < _FEWEST:
        return None
    traces = [line(thin(points), "gradient norm", color="@accent", width=1.8)]
    if clip is not None:
        traces.append(_level(points, clip, f"clipped to {clip:g}"))
    return figure(traces, height=380, xaxis=axis("epoch"), yaxis=_log("gradient norm", points), legend=LEGEND, showlegend=True)


def update_ratios(events: Sequence[Json]) -> Json | None:
    """Norm of the update by norm of the weights, per role, with the usual rule of thumb; none of a run too short for a line."""
    of = {role: update_ratio(events, role) for role, _, _ in _ROLES}
    every = [point for points in of.values() for point in points]
    if max(map(len, of.values())) < _FEWEST:
        return None
    traces = [line(thin(of[role]), role, color=color, width=2, dash=dash) for role, color, dash in _ROLES if of[role]]
    traces.append(_level(every, RULE_OF_THUMB, "rule of thumb: 0.001"))
    sizes = _log("‖Δw‖ / ‖w‖", [*every, (0.0, RULE_OF_THUMB)])
    return figure(traces, height=380, xaxis=axis("epoch"), yaxis=sizes, legend=LEGEND, showlegend=True)


def clipped(events: Sequence[Json]) -> Json | None:
    """The share of steps whose gradient was clipped; none where none was."""
    points = logged(events, "clipped")
    if not any(share for _, share in points):
        return None
    trace = line(thin(points), "clipped", color="@second", width=1.8) | {
        "fill": "tozeroy", "line": {"color": "@second", "width": 1.8, "shape": "vh"},
        "hovertemplate": "epoch %{x:.2f}: %{y:.0%} of the steps<extra></extra>",
    }  # fmt: skip
    return figure([trace], xaxis=axis("epoch"), yaxis=axis("steps clipped", range=[0, 1.03], tickformat=".0%"), showlegend=False)


def schedule(events: Sequence[Json]) -> Json | None:
    """The learning rate, if it varies."""
    points = logged(events, "lr")
    if len({rate for _, rate in points}) < 2:
        return None
    trace = line(thin(points), "learning rate", color="@accent", width=2)
    return figure([trace], xaxis=axis("epoch"), yaxis=axis("learning rate", rangemode="tozero"), showlegend=False)


def search(trials: Sequence[Json], chosen: float, title: str) -> Json | None:
    """The score by learning rate; diverged trials are at the top, and the best one is marked."""
    scored = sorted((t["lr"], t["score"]) for t in trials if t.get("score") is not None)
    lost = [t["lr"] for t in trials if t.get("score") is None]
    if not scored and not lost:
        return None
    low, high = (end(score for _, score in scored) for end in (min, max)) if scored else (0.0, 1.0)
    top = high + 0.12 * (high - low or abs(high) or 1.0)
    trace = line(scored, title, color="@accent", width=2, marked=True)
    traces = [trace | {"hovertemplate": "lr %{x:.4g}: %{y:.4g}<extra></extra>"}]
    if lost:
        marker, hover = {"symbol": "x", "size": 10, "color": "@bad"}, "lr %{x:.4g}: no score<extra></extra>"
        traces.append(dots([(lr, top) for lr in lost], marker, name="no score: diverged", hovertemplate=hover))
    if best := [point for point in scored if point[0] == chosen]:
        traces.append(ring(best[0], "@second", name=f"best: {chosen:.4g}"))
    across = axis("learning rate", type="log", exponentformat="power", dtick=1)
    return figure(traces, height=360, xaxis=across, yaxis=axis(html.escape(title)), legend=LEGEND, showlegend=True)


def logged(events: Sequence[Json], name: str) -> Points:
    """A value of the training events, by epoch."""
    return [(e["epoch"], e[name]) for e in events if e["event"] == "train" and e.get(name) is not None]


def update_ratio(events: Sequence[Json], role: str) -> Points:
    """Norm of the update by norm of the weights of one role; left out where the weights were zero or not updated."""
    ratios = [(epoch, ratios.get(role)) for epoch, ratios in logged(events, "moved")]  # type: ignore[attr-defined]
    return [(epoch, ratio) for epoch, ratio in ratios if ratio]


def spikes(events: Sequence[Json]) -> list[Json]:
    """Where the loss rose far above its usual level."""
    return [e for e in events if e["event"] == "spike"]


def _level(points: Points, height: float, name: str) -> Json:
    ends = [(min(x for x, _ in points), height), (max(x for x, _ in points), height)]
    return line(ends, name, color="@muted", width=1.2, dash="dot", hover=False)


def _log(title: str, points: Points) -> Json:
    heights = [y for _, y in points if y > 0]
    ticks = log_ticks(heights) if heights else {}
    return axis(title, **({"type": "log", "nticks": 6} | ticks if heights else {}))
