"""The current state of a comparison: finished runs, and scores so far."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from statistics import fmean, median

from ..metrics import PROPER, RISING
from . import words
from .comparison_charts import rates
from .plot import Json, axis, dots, figure

EMPTY: Json = {"facts": [], "numbers": [], "table": None, "done": 0, "of": 0, "figures": {}}


def state(summary: Json, events: Sequence[Json]) -> Json:
    """Its numbers, a table row per arm, and its figures."""
    protocol = summary.get("protocol")
    if protocol is None:  # the data is being read
        return dict(EMPTY)
    trainings = [event for event in events if event["event"] == "training"]
    arms = [_arm(one["name"], trainings) for one in protocol["arms"]]
    metric, judged = protocol["metric"], PROPER[summary["task"]]
    total, shared = protocol["trainings"], protocol.get("shared")
    numbers = [["runs finished here" if shared else "runs finished", f"{len(trainings):,} of {total:,}"]]
    left = max(0, total - len(trainings))
    if trainings and left and not shared:
        each = median(one["seconds"] for one in trainings)
        numbers.append(["estimated time left", words.duration(left * each / protocol["jobs"])])
    lost = sum(one["score"] is None for one in trainings)
    numbers += [["diverged", str(lost)]] if lost else []
    figures = {"scores": _scores(arms, metric), "rates": rates(_so_far(arms, metric, judged))}
    return {
        "facts": [f"{len(arms)} arms", f"{protocol['seeds']} seeds", f"{protocol['trials']} trials per arm"],
        "numbers": numbers,
        "table": _table(arms, protocol, judged),
        "done": len(trainings),
        "of": total,
        "figures": {name: drawn for name, drawn in figures.items() if drawn},
    }


def _arm(name: str, trainings: Sequence[Json]) -> Json:
    """An arm's finished trials and runs."""
    own = [one for one in trainings if one["arm"] == name]
    besides = ("event", "stage", "arm", "number", "seed", "time")
    trials = [{key: value for key, value in one.items() if key not in besides} for one in own if one["stage"] == "tune"]
    runs = [one for one in own if one["stage"] == "run"]
    best = min((trial for trial in trials if trial["score"] is not None), key=lambda trial: trial["score"], default=None)
    return {"name": name, "trials": trials, "best": best, "runs": runs, "scores": [one["score"] for one in runs]}


def _table(arms: Sequence[Json], protocol: Json, judged: str) -> Json:
    metric = protocol["metric"]
    rows = []
    for arm in arms:
        best, scores = arm["best"], [score for score in arm["scores"] if score is not None]
        rows.append([
            arm["name"],
            f"{len(arm['trials'])} of {protocol['trials']}" if protocol["trials"] else "–",
            "–" if best is None else f"{best['score']:.4g}" + (f" at {best['lr']:.3g}" if "lr" in best else ""),
            f"{len(arm['runs'])} of {protocol['seeds']}",
            f"{fmean(scores):.4g}" if scores else "–",
            f"{min(scores):.4g} to {max(scores):.4g}" if len(scores) > 1 else "–",
        ])  # fmt: skip
    return {
        "caption": f"Trials are scored by validation {judged}, runs by test {metric}.",
        "columns": ["Arm", "Trials", f"Best {judged}", "Seeds", f"Mean test {metric}", "Range"],
        "rows": rows,
    }


def _scores(arms: Sequence[Json], metric: str) -> Json | None:
    """The score of each seed, and the mean of each arm."""
    known = [(html.escape(arm["name"]), [score for score in arm["scores"] if score is not None]) for arm in arms]
    if not any(scores for _, scores in known):
        return None
    names = [name for name, _ in known]
    each = [(score, name) for name, scores in known for score in scores]
    means = [(fmean(scores), name) for name, scores in known if scores]
    dot = {"size": 9, "color": "@accent", "opacity": 0.55}
    bar = {"symbol": "line-ns-open", "size": 18, "color": "@text", "line": {"width": 2, "color": "@text"}}
    traces = [
        dots(each, dot, hovertemplate="%{y}: %{x:.4g}<extra></extra>", showlegend=False),
        dots(means, bar, hovertemplate="%{y}, mean: %{x:.4g}<extra></extra>", showlegend=False),
    ]
    rows = axis("", type="category", categoryorder="array", categoryarray=names, autorange="reversed", showgrid=False)
    return figure(traces, height=130 + 34 * len(names), xaxis=axis(f"test {html.escape(metric)}"), yaxis=rows)


def _so_far(arms: Sequence[Json], metric: str, judged: str) -> Json:
    """The part of a result that the chart of learning rates reads."""
    made = []
    for arm in arms:
        scores = [score for score in arm["scores"] if score is not None]
        value = fmean(scores) if scores else (arm["best"] or {"score": math.inf})["score"]
        tuning = {"trials": arm["trials"], "chosen": None}
        made.append({"name": arm["name"], "value": value, "tuning": tuning})
    return {"arms": made, "rising": metric in RISING, "metric": metric, "judged_by": judged}
