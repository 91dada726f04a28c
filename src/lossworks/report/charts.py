"""The charts of a run, one function each."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..tokens.graphemes import isolated, shortened
from .plot import LEGEND, Json, axis, dots, figure, line, log_ticks, ring, rule, thin

NUMBERED = 20  # classes up to which a confusion matrix has room for its counts,
NAMED = 30  # and for the label names
DARK = 0.6  # share of the row from which a cell is too dark for ordinary text


def loss_curve(events: Sequence[Json]) -> Json | None:
    """The training loss, raw and smoothed, its spikes, and the validation loss."""
    train = [(e["epoch"], e["loss"]) for e in events if e["event"] == "train" and e.get("loss") is not None]
    valid = [(e["epoch"], e["loss"]) for e in events if e["event"] == "valid" and e.get("loss") is not None]
    if not train and not valid:
        return None
    raw, smooth = thin(train), thin(_smooth(train))
    traces = (
        [
            line(raw, "train", color="@accent-faint", width=1, hover=False, showlegend=False),
            line(smooth, "train, smoothed", color="@accent", width=2.5),
        ]
        if train
        else []
    )
    if valid:
        traces.append(line(valid, "validation", color="@second", width=2, marked=True))
    if spiked := [(e["epoch"], e["loss"]) for e in events if e["event"] == "spike"]:
        marker = {"symbol": "triangle-up", "size": 10, "color": "@bad"}
        traces.append(dots(spiked, marker, name="spike", hovertemplate="spike, epoch %{x:.2f}: %{y:.4g}<extra></extra>"))
    scale = log_ticks([y for _, y in raw + valid + spiked])
    return figure(traces, xaxis=axis("epoch"), yaxis=axis("loss", **scale), legend=LEGEND)


def metric_curve(events: Sequence[Json], name: str, title: str, best: float | None) -> Json | None:
    """The metric that selects the best epoch, with that epoch marked."""
    points = [(e["epoch"], e[name]) for e in events if e["event"] == "valid" and e.get(name) is not None]
    if not points:
        return None
    drawn = figure(
        [line(points, title, color="@second", width=2, marked=True)],
        xaxis=axis("epoch"),
        yaxis=axis(title),
        showlegend=False,
    )
    if best is not None:
        x, y = min(points, key=lambda point: abs(point[0] - best))
        drawn["data"].append(ring((x, y), "@second"))
        drawn["layout"]["shapes"] = [rule(x, x, 0, 1, yref="paper")]
        drawn["layout"]["annotations"] = [
            {"x": x, "y": 1, "yref": "paper", "yanchor": "bottom", "text": "best", "showarrow": False,
             "font": {"color": "@muted"}}
        ]  # fmt: skip
    return drawn


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str]) -> Json:
    """True label by row, predicted label by column; the colour is the share of the row, the number the count."""
    shares = [[count / max(sum(row), 1) for count in row] for row in table]
    names = [html.escape(isolated(label)) for label in labels]
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
        cells = [(true, predicted) for true in range(len(names)) for predicted in range(len(names))]
        traces.append({
            "type": "scatter", "mode": "text", "hoverinfo": "skip", "showlegend": False,
            "x": [names[predicted] for _, predicted in cells], "y": [names[true] for true, _ in cells],
            "text": [f"{table[true][predicted]:,}" for true, predicted in cells],
            "textfont": {
                "size": 15 if len(names) < 8 else 11,
                "color": ["@on-heat" if shares[true][predicted] > DARK else "@text" for true, predicted in cells],
            },
        })  # fmt: skip
    return figure(
        traces, height=min(620, max(320, 44 * len(names) + 120)), margin={"l": 56, "r": 12, "t": 72, "b": 12},
        xaxis=axis("predicted", side="top", **ticks), yaxis=axis("true", autorange="reversed", **ticks),
    )  # fmt: skip


def reliability(before: Sequence[Json], after: Sequence[Json], scaled: bool) -> Json:
    """Accuracy by confidence, above the number of predictions in each bin."""
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
            "hovertemplate": "confidence %{x:.2f}, accuracy %{y:.2f}, of %{customdata:,}<extra></extra>",
        })  # fmt: skip
        traces.append({
            "type": "bar", "x": [(min(int(c * 15), 14) + 0.5) / 15 for c in x], "y": count, "yaxis": "y2",
            "marker": {"color": color},
            "showlegend": False, "hovertemplate": "%{y:,} predictions<extra></extra>",
        })  # fmt: skip
    low = min([b["confidence"] for _, bins, _, _ in series for b in bins], default=0)
    start = max(0.0, int(low * 10) / 10 - 0.02)
    return figure(
        traces, height=440, barmode="group", bargap=0.35, legend=LEGEND,
        xaxis=axis("confidence", range=[start, 1.02], anchor="y2"),
        yaxis=axis("accuracy", range=[-0.03, 1.05], domain=[0.32, 1]),
        yaxis2=axis("count", domain=[0, 0.22], nticks=3),
        shapes=[rule(start, 1, start, 1)],
    )  # fmt: skip


def precision_recall(points: Sequence[Sequence[float]], marked: Sequence[Json], base_rate: float) -> Json:
    """Precision by recall of a label, the thresholds of the table marked; on the dotted line, of answers drawn by lot."""
    first = [(0.0, points[0][1])]
    curve = line(first + [(recall, precision) for recall, precision, _ in points], "", color="@accent", width=2, hover=False)
    curve["line"]["shape"] = "vh"  # as the average precision adds it up
    shown = [row for row in marked if row["precision"]["value"] is not None]
    places = [(row["recall"]["value"], row["precision"]["value"]) for row in shown]
    cuts = [f"{row['threshold']:g}" for row in shown]
    trace = dots(
        places, {"color": "@second", "size": 9}, text=cuts,
        hovertemplate="from %{text} on: recall %{x:.1%}, precision %{y:.1%}<extra></extra>",
    )  # fmt: skip
    return figure(
        [curve, trace], height=440, showlegend=False, shapes=[rule(0, 1, base_rate, base_rate)],
        xaxis=axis("recall", range=[-0.02, 1.03]), yaxis=axis("precision", range=[-0.03, 1.05]),
    )  # fmt: skip


def scatter(points: Sequence[Sequence[float]]) -> Json:
    """Predicted against true values; on the dotted line they agree."""
    true = [p[0] for p in points]
    low, high = min(true, default=0), max(true, default=1)
    marker, hover = {"color": "@accent", "size": 6, "opacity": 0.55}, "true %{x:.4g}, predicted %{y:.4g}<extra></extra>"
    trace = dots([(p[0], p[1]) for p in points], marker, hovertemplate=hover)
    return figure([trace], height=440, xaxis=axis("true"), yaxis=axis("predicted"), shapes=[rule(low, high, low, high)])


def _short(label: str) -> str:
    return html.escape(shortened(label, 18))


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Exponential moving average over a fortieth of the run, with bias correction."""
    keep = 1 - 1 / max(len(points) / 40, 1)
    total = weight = 0.0
    smooth = []
    for x, y in points:
        total, weight = keep * total + y, keep * weight + 1
        smooth.append((x, total / weight))
    return smooth
