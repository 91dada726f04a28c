"""The page of a pool: its sources and their weights, what it gains, and whether that is the sources' knowledge."""

from __future__ import annotations

import html
from typing import Any

from .metric_rows import metric_row, scaled
from .plot import LEGEND, Json, axis, dots, figure, rule
from .words import smart


def context(name: str, summary: Json) -> Json:
    """What ``fused.html`` is filled with, of a pool's run."""
    result, found = summary["result"], summary["result"]["fused"]
    verdicts = found["verdicts"]
    helps = [verdict for verdict in verdicts if verdict["word"] == "helps"]
    return {
        "name": name,
        "run": summary,
        "result": result,
        "found": found,
        "facts": [f"{len(found['sources'])} sources", KINDS[found["kind"]] + (", by context" if found["by_context"] else "")],
        "tone": "good" if helps and len(helps) == len(verdicts) else "unsure" if verdicts else "plain",
        "headline": _headline(verdicts, len(helps)),
        "sources": [_source(row) for row in found["sources"]],
        "pool": None if "loss" not in found else _loss(found["loss"]),
        "best": None if "best" not in found else {"source": found["best"]["source"]} | _loss(found["best"]["difference"]),
        "verdicts": [verdict | {"rows": [_check(check) for check in verdict["checks"]]} for verdict in verdicts],
        "metrics": [metric_row(key, result) for key in result.get("metrics", {})] if result.get("baseline") else [],
        "scaled": scaled(result),
        "figures": {f"checks-{number}": _figure(verdict["checks"]) for number, verdict in enumerate(verdicts)},
    }


KINDS = {
    "linear": "a mixture",
    "log_linear": "a normalised product",
    "by_text": "a mixture of whole texts",
    "soup": "the mean of their weights",
}


def _headline(verdicts: list[Json], helps: int) -> str:
    if not verdicts:
        return "Not judged"
    if helps == len(verdicts):
        return "Its knowledge helps" if helps == 1 else "The knowledge of every source helps"
    return f"{helps} of {len(verdicts)} sources shown to help" if helps else "No knowledge shown"


def _source(row: Json) -> Json:
    loss = row.get("loss")
    return {
        "name": row["source"],
        "weight": _number(row["weight"]) + "?" * row["left_open"],
        "speaks": f"{100 * row['speaks']:.3g} %",
        "loss": None if loss is None else _loss(loss),
    }


def _loss(interval: Json) -> Json:
    if interval["value"] is None:
        return {"value": "∞", "range": ""}
    return {"value": _number(interval["value"]), "range": f"{_number(interval['low'])} to {_number(interval['high'])}"}


def _check(check: Json) -> Json:
    return {"than": check["than"], "passed": check["passed"], "p": smart(check["p"]), **_loss(check)}


def _figure(checks: list[Json]) -> Json:
    """The pool's loss less that of each other pool, with intervals; left of zero the pool is better."""
    names = [html.escape(check["than"]) for check in checks]
    color: Any = ["@good" if check["high"] < 0 else "@unsure" for check in checks]
    trace = dots([(check["value"], name) for check, name in zip(checks, names, strict=True)], {"size": 10, "color": color}) | {
        "error_x": {
            "type": "data", "symmetric": False, "color": "@muted", "thickness": 2.5, "width": 6,
            "array": [check["high"] - check["value"] for check in checks],
            "arrayminus": [check["value"] - check["low"] for check in checks],
        },
        "customdata": [[check["low"], check["high"]] for check in checks],
        "hovertemplate": "%{y}: %{x:.4f}, %{customdata[0]:.4f} to %{customdata[1]:.4f}<extra></extra>",
    }  # fmt: skip
    return figure(
        [trace], height=110 + 34 * len(checks), xaxis=axis("nats; left of zero the pool is better"),
        yaxis=axis("", type="category", autorange="reversed", showgrid=False), shapes=[rule(0, 0, 0, 1, yref="paper")],
        legend=LEGEND, showlegend=False,
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
