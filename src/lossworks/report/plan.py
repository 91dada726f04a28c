"""The page of a plan: the forecast, the runs it is from, and how past forecasts went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .frame import write_page
from .plot import LEGEND, axis, dots, figure, line
from .words import THIN, Json, counted, duration

if TYPE_CHECKING:
    from ..scaling.planned import Planned


def write_plan(plan: Planned, path: Path) -> Path:
    """Write the page of ``plan`` and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    context = {
        "name": "What a larger run would reach",
        "facts": [counted(len(plan.runs), "run"), f"{100 * plan.found.level:g}{THIN}% intervals"],
        "sentence": sentence(plan),
        "taken": taken(plan),
        "figures": {"forecast": _curve(plan), "past": _past(plan)},
        "past": past(plan),
        "assumptions": [*method(plan), *plan.taken.assumptions],
        "notes": plan.notes,
    }
    return write_page("plan.html", context, path)


def sentence(plan: Planned) -> str:
    """The forecast in one sentence."""
    low, high = plan.interval
    return (
        f"A run of {plan.target.params:.3g} parameters on {plan.target.tokens:.3g} tokens would reach "
        f"{plan.loss:.4g} nats a token ({100 * plan.found.level:g}{THIN}% interval {low:.4g} to {high:.4g}); it is "
        f"{plan.found.ratio[0]:.3g} times as large as the largest of the runs."
    )


def taken(plan: Planned) -> str:
    """What its training takes, in one sentence."""
    memory = f"about {plan.taken.memory / 2**30:.3g}{THIN}GiB"
    memory += " in all" if plan.taken.measured else " for weights, gradients and optimiser, activations not counted"
    seconds = plan.taken.seconds
    if seconds is None:
        return f"Training takes {memory}; how long is not known, as neither the runs nor a machine tell a speed."
    return f"Training takes about {duration(seconds)} and {memory}."


def past(plan: Planned) -> list[list[str]]:
    """A row for each past forecast."""
    rows = []
    for one in plan.found.past:
        errors = 100 * np.abs(np.array(one.errors))
        rows.append(
            [
                f"{one.runs:,}",
                f"{len(one.errors):,}",
                f"{one.ratio:.3g}",
                f"{np.median(errors):.2g}{THIN}%",
                f"{100 * one.inside:.0f}{THIN}%",
            ]
        )
    return rows


def method(plan: Planned) -> list[str]:
    """How the forecast was made."""
    found = plan.found
    shares = ", ".join(f"{name} {100 * share:.0f}{THIN}%" for name, share in found.weights.items())
    off = (
        f"were too high by {100 * found.drift:.2g}{THIN}%"
        if found.drift >= 0
        else f"were too low by {-100 * found.drift:.2g}{THIN}%"
    )
    return [
        f"Laws are fitted by the Huber loss of log-losses and averaged, weighted by their past forecasts: {shares}.",
        f"Past forecasts {off} for each factor e of size, which is taken off; that itself is uncertain by "
        f"{100 * found.spread:.2g}{THIN}%. Runs lie within {100 * found.noise:.2g}{THIN}% of the laws (68{THIN}% of them).",
        f"Widths that resampling the sizes gives were multiplied by {found.widened:.3g}, so that past forecasts cover. "
        f"Forecasts are given up to {found.reach:.3g} times the largest run.",
    ]


def _curve(plan: Planned) -> Json:
    """Loss by compute: the runs, and the forecast with its interval towards the target."""
    path, found = plan.curve
    order = np.argsort([target.compute for target in path])
    x = [path[i].compute for i in order]
    low, mid, high = ([values[i] for i in order] for values in (found.low, found.loss, found.high))
    hover = "%{x:.3g} operations: %{y:.4g} nats a token<extra></extra>"
    band = line(
        [*zip(x, low, strict=True), *zip(x[::-1], high[::-1], strict=True)], "interval", color="@second", width=0, hover=False
    )
    band |= {"fill": "toself", "fillcolor": "@second/33"}
    seen, aim = list(zip(plan.runs.compute.tolist(), plan.runs.loss.tolist(), strict=True)), [(plan.target.compute, plan.loss)]
    here = {"color": "@second", "size": 12, "symbol": "diamond"}
    traces = [
        band,
        line(list(zip(x, mid, strict=True)), "forecast", color="@second", width=2.5, hovertemplate=hover),
        dots(seen, {"color": "@accent", "size": 7}, name="runs", hovertemplate=hover),
        dots(aim, here, name="the run forecast", hovertemplate=hover),
    ]  # fmt: skip
    xaxis = axis("compute, floating-point operations", type="log", exponentformat="power")
    return figure(traces, height=440, xaxis=xaxis, yaxis=axis("nats a token"), legend=LEGEND, showlegend=True)


def _past(plan: Planned) -> Json:
    """Errors of past forecasts by how far they reached."""
    hover = "%{x:.3g} times as large: off by %{y:.2f} %<extra></extra>"
    traces = [
        dots([(r, 100 * e) for r, e in zip(one.ratios, one.errors, strict=True)], {"size": 7, "opacity": 0.7},
             name=f"from {one.runs} runs", hovertemplate=hover)
        for one in plan.found.past
    ]  # fmt: skip
    xaxis = axis("times as large as the largest run it was made from", type="log")
    return figure(
        traces, height=360, xaxis=xaxis, yaxis=axis("forecast off by, %", zeroline=True), legend=LEGEND, showlegend=True
    )
