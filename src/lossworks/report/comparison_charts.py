"""The charts of a comparison, one function each."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..tokens.graphemes import shortened
from .plot import LEGEND, Json, axis, dots, figure, line, log_ticks, ring, rule

MOST = 8
"""Arms that a line chart has room for: the baseline and the best of the others."""
_TRIALS, _CURVES = 0.6, 0.8  # shares of the trial scores, and of the curves' values, that must stay distinguishable
_FAR = 4.0  # multiple of their distance from the best beyond which outliers are clipped
TONES = {"better": "@good", "worse": "@bad", "equivalent": "@accent"}
_LINES = (
    ("@accent", "solid"), ("@second", "solid"), ("@good", "solid"), ("@unsure", "solid"),
    ("@accent", "dot"), ("@second", "dot"), ("@good", "dot"), ("@unsure", "dot"),
)  # fmt: skip


def differences(result: Json) -> Json | None:
    """Each arm's difference from the baseline with its interval, and those of the single seeds."""
    arms = [arm for arm in result["arms"][1:] if arm["verdict"]["value"] is not None]
    if not arms:
        return None
    before = {run["seed"]: run["value"] for run in result["arms"][0]["seeds"]}
    names = [_name(arm["name"]) for arm in arms]
    single = [
        (run["value"] - before[run["seed"]], name)
        for name, arm in zip(names, arms, strict=True)
        for run in arm["seeds"]
        if run["seed"] in before
    ]
    marker = {"symbol": "line-ns-open", "size": 11, "color": "@muted", "line": {"width": 1, "color": "@muted"}}
    traces = [dots(single, marker, name="one seed", hovertemplate="%{y}, one seed: %{x:.4g}<extra></extra>")]
    for word in dict.fromkeys(arm["verdict"]["word"] for arm in arms):
        some = [(name, arm["verdict"]) for name, arm in zip(names, arms, strict=True) if arm["verdict"]["word"] == word]
        bars = [0.0 if v["low"] is None else v["high"] - v["value"] for _, v in some]
        color = TONES.get(word, "@unsure")
        trace = dots([(v["value"], name) for name, v in some], {"size": 10, "color": color}, name=word)
        traces.append(trace | {
            "error_x": {"type": "data", "array": bars, "color": color, "thickness": 2.5, "width": 6},
            "customdata": [[v["low"], v["high"]] for _, v in some],
            "hovertemplate": "%{y}: %{x:.4g}, %{customdata[0]:.4g} to %{customdata[1]:.4g}<extra></extra>",
        })  # fmt: skip
    shapes = [rule(0, 0, 0, 1, yref="paper")]
    if margin := result["margin"]:
        shapes.append({
            "type": "rect", "x0": -margin, "x1": margin, "y0": 0, "y1": 1, "yref": "paper", "fillcolor": "@cell",
            "line": {"width": 0}, "layer": "below",
        })  # fmt: skip
    names_axis = axis(
        "", type="category", autorange="reversed", showgrid=False, tickmode="array", tickvals=names,
        ticktext=[_short(n) for n in names],
    )  # fmt: skip
    across = axis(f"difference from the baseline, {result['unit']}")
    return figure(
        traces, height=130 + 34 * len(arms), xaxis=across, yaxis=names_axis, shapes=shapes, legend=LEGEND, showlegend=True
    )


def rates(result: Json) -> Json | None:
    """The validation score by learning rate, with the best one marked; scores far above the rest are clipped to the top."""
    tried = [
        (arm, look, [trial for trial in arm["tuning"]["trials"] if "lr" in trial])
        for arm, look in zip(drawn(result), _LINES, strict=False)
    ]
    scores = sorted(trial["score"] for _, _, trials in tried for trial in trials if trial["score"] is not None)
    if not scores:
        return None
    usual = scores[int(_TRIALS * len(scores))] if len(scores) >= MOST else scores[-1]
    top = min(scores[-1], scores[0] + _FAR * (usual - scores[0]))
    traces: list[Json] = []
    for arm, (color, dash), trials in tried:
        known = sorted((trial["lr"], trial["score"]) for trial in trials if trial["score"] is not None)
        found = [(lr, min(score, top)) for lr, score in known]
        trace = line(found, _name(arm["name"]), color=color, width=1.8, dash=dash, marked=True)
        trace["marker"]["symbol"] = ["triangle-up" if score > top else "circle" for _, score in known]
        tried_scores = [score for _, score in known]
        hover = {"customdata": tried_scores, "hovertemplate": "lr %{x:.4g}: %{customdata:.4g}", "cliponaxis": False}
        traces.append(trace | hover)
        chosen = (arm["tuning"]["chosen"] or {}).get("lr")
        if best := [point for point in found if point[0] == chosen]:
            traces.append(ring(best[0], color, showlegend=False))
    if lost := [trial["lr"] for _, _, trials in tried for trial in trials if trial["score"] is None]:
        marker = {"symbol": "x", "size": 10, "color": "@bad"}
        hovertemplate = "lr %{x:.4g}: diverged<extra></extra>"
        traces.append(dots([(lr, top) for lr in lost], marker, name="diverged", hovertemplate=hovertemplate))
    across = axis("learning rate", type="log", exponentformat="power", dtick=1)
    return figure(traces, height=420, xaxis=across, yaxis=axis(_judged(result)), legend=LEGEND, showlegend=True)


def curves(result: Json, by_time: bool = False) -> Json | None:
    """The validation score by epoch, or by seconds of training: mean and range of the seeds."""
    traces: list[Json] = []
    heights: list[float] = []
    for arm, (color, dash) in zip(drawn(result), _LINES, strict=False):
        runs = [[(note[by_time], note[2]) for note in run["curve"]] for run in arm["seeds"] if run["curve"] and not run["note"]]
        if not runs:
            continue
        length = min(map(len, runs))
        places = [sum(run[at][0] for run in runs) / len(runs) for at in range(length)]
        columns = [[run[at][1] for run in runs] for at in range(length)]
        for edge, fill in ((min, "none"), (max, "tonexty")):
            traces.append({
                "type": "scatter", "mode": "lines", "x": places, "y": [edge(column) for column in columns],
                "line": {"width": 0, "color": color}, "fill": fill, "fillcolor": f"{color}/2e",
                "hoverinfo": "skip", "showlegend": False,
            })  # fmt: skip
        means = [(place, sum(column) / len(column)) for place, column in zip(places, columns, strict=True)]
        heights += [height for _, height in means]
        trace = line(means, _name(arm["name"]), color=color, width=2, dash=dash)
        traces.append(trace | {"hovertemplate": "%{x:.3g} s: %{y:.4g}"} if by_time else trace)
    if not traces:
        return None
    across = axis("seconds of training") if by_time else axis("epoch")
    upright = log_ticks(heights) or _focus(heights)
    return figure(traces, height=420, xaxis=across, yaxis=axis(_judged(result), **upright), legend=LEGEND, showlegend=True)


def _focus(heights: Sequence[float]) -> Json:
    """An axis that clips a few values far above the rest, such as those of first epochs."""
    low, usual, high = min(heights), sorted(heights)[int(_CURVES * len(heights))], max(heights)
    top = low + _FAR * (usual - low)
    return {"range": [low - 0.05 * (top - low), top]} if high > top > low else {}


def calibration(result: Json) -> Json | None:
    """Accuracy by confidence, the seeds of an arm pooled; bins with few predictions are left out."""
    traces: list[Json] = []
    for arm, (color, dash) in zip(drawn(result), _LINES, strict=False):
        bins = arm.get("bins") or []
        fewest = max(10, sum(one["count"] for one in bins) / 500)
        shown = [one for one in bins if one["count"] >= fewest]
        if not shown:
            continue
        points = [(one["confidence"], one["accuracy"]) for one in shown]
        trace = line(points, _name(arm["name"]), color=color, width=1.8, dash=dash, marked=True)
        traces.append(trace | {
            "customdata": [one["count"] for one in shown],
            "hovertemplate": "confidence %{x:.2f}, accuracy %{y:.2f}, of %{customdata:,}",
        })  # fmt: skip
    if not traces:
        return None
    start = max(0.0, min(min(trace["x"]) for trace in traces) - 0.03)
    across = axis("confidence", range=[start, 1.02])
    return figure(
        traces, height=440, xaxis=across, yaxis=axis("accuracy", range=[-0.03, 1.05]), shapes=[rule(start, 1, start, 1)],
        legend=LEGEND, showlegend=True,
    )  # fmt: skip


def time_and_quality(result: Json) -> Json | None:
    """Each arm's mean on the test rows, with two standard errors, by the seconds of a run."""
    arms = [arm for arm in result["arms"] if arm["value"] is not None and arm["seconds"] is not None]
    if not arms:
        return None
    shown = drawn(result)
    looks = {arm["name"]: look for arm, look in zip(shown, _LINES, strict=False)}
    traces: list[Json] = []
    for arm in arms:
        color, dash = looks.get(arm["name"], ("@muted", "solid"))
        marker = {"size": 10, "color": color, "symbol": "circle" if dash == "solid" else "circle-open"}
        traces.append(dots([(arm["seconds"], arm["value"])], marker, name=_name(arm["name"])) | {
            "error_y": {"type": "data", "array": [2 * (arm["standard_error"] or 0)], "color": color, "thickness": 1.2},
            "showlegend": arm["name"] in looks, "hovertemplate": "%{y:.4g} in %{x:.3g} s",
        })  # fmt: skip
    across = axis("seconds per run", **(log_ticks([arm["seconds"] for arm in arms]) or {"rangemode": "tozero"}))
    return figure(
        traces, height=420, xaxis=across, yaxis=axis(f"test {html.escape(result['metric'])}"), legend=LEGEND, showlegend=True
    )


def drawn(result: Json) -> Sequence[Json]:
    """The arms shown in line charts."""
    baseline, *others = result["arms"]
    rising = result["rising"]
    known = [arm for arm in others if arm["value"] is not None]
    best = sorted(known, key=lambda arm: -arm["value"] if rising else arm["value"])[: MOST - 1]
    return [baseline, *(arm for arm in others if arm in best)]


def _judged(result: Json) -> str:
    return f"validation {html.escape(result['judged_by'])}"


def _name(name: str) -> str:
    return html.escape(name)


def _short(name: str) -> str:
    return shortened(name, 44)
