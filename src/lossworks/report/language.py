"""The report of a language model: metrics, training, the most and least surprising texts, and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

from . import by_language, went_on, words
from .metric_rows import metric_row
from .plot import LEGEND, axis, figure, line
from .words import Json

SHOWN = {"model": "model", "tokenizer": "tokenizer"}
_SHADES = 8
_DARKEST = 8.0  # nats from which a token has the darkest shade


def context(name: str, summary: Json, events: list[Json]) -> Json:
    """The context of the template ``language.html``."""
    result: Json = summary.get("result") or {}
    surprising = result.get("surprising") or {"most": [], "least": []}
    return {
        "name": name,
        "run": summary,
        "result": result,
        "data": summary.get("data") or {},
        "verdict": words.verdict(summary),
        "facts": words.facts(summary, SHOWN),
        "went_on": went_on.sentences(summary),
        "metrics": [metric_row(key, result, words.LANGUAGE_NAMES) for key in result.get("metrics", {})],
        "scaled": False,
        "languages": by_language.context(result),
        "orders": _table((result.get("facts") or {}).get("orders") or []),
        "learned": {key: value for key, value in (result.get("facts") or {}).items() if key != "orders"},
        "notes": [event["text"] for event in events if event["event"] == "note"],
        "surprising": {kind: [_shaded(text) for text in texts] for kind, texts in surprising.items()},
        "samples": result.get("samples") or [],
        "figures": figures(events) | ({"by-language": drawn} if (drawn := by_language.chart(result)) else {}),
        "versions": {"lossworks": summary.get("lossworks"), **(summary.get("versions") or {})},
    }


def figures(events: Sequence[Json]) -> dict[str, Json]:
    """The charts for which there is data."""
    curve = _curve([event for event in events if event["event"] in ("iteration", "train", "valid")])
    return {"curve": curve} if curve else {}


def _table(rows: Sequence[Json]) -> Json:
    """Facts about each n-gram order as a table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return {"columns": [key.replace("_", " ") for key in columns], "rows": [[row.get(key) for key in columns] for row in rows]}


def _shaded(text: Json) -> Json:
    """A text whose tokens each have their nats and a shade, 0 to 7. What is infinite is None in a record that was read."""
    known = [(token, math.inf if nats is None else nats) for token, nats in text["tokens"]]
    tokens = [{"token": token, "nats": nats, "shade": int(min(_SHADES * nats / _DARKEST, _SHADES - 1))} for token, nats in known]
    mean = math.inf if text["nats_per_token"] is None else text["nats_per_token"]
    return {
        **text,
        "nats_per_token": mean,
        "tokens": tokens,
        "spaced": not any(len(token) > 1 and token[0] == " " for token, _ in text["tokens"]),
    }


def _curve(events: Sequence[Json]) -> Json | None:
    """The loss by iteration or epoch, if training had any."""
    series = {"train": _points(events, "nll", "iteration") or _points(events, "loss", "epoch")}
    series["validation"] = _points(events, "held_out", "iteration") or _points(events, "nll", "epoch")
    traces = [
        line(points, name, color=color, width=2.0, marked=True)
        for (name, points), color in zip(series.items(), ("@accent", "@second"), strict=True)
        if points
    ]
    return figure(traces, xaxis=axis("iteration or epoch"), yaxis=axis("nats per token"), legend=LEGEND) if traces else None


def _points(events: Sequence[Json], y: str, x: str) -> list[tuple[float, float]]:
    return [(event[x], event[y]) for event in events if x in event and event.get(y) is not None]
