"""The page of a model of language: its figures, what was learnt, the texts it knew least and best, and what it makes up."""

from __future__ import annotations

from collections.abc import Sequence

from . import words
from .metric_rows import metric_row
from .plot import LEGEND, axis, figure, line
from .words import THIN, Json, Verdict

SHOWN = {"model": "model", "tokenizer": "tokenizer"}
_STEPS = 8  # shades of surprisal
_REDDEST = 8.0  # nats from which a token is as deep in colour as any


def context(name: str, summary: Json, events: list[Json]) -> Json:
    """All that the template ``language.html`` asks for."""
    result: Json = summary.get("result") or {}
    surprising = result.get("surprising") or {"most": [], "least": []}
    return {
        "name": name,
        "run": summary,
        "result": result,
        "data": summary.get("data") or {},
        "verdict": _verdict(summary),
        "facts": words.facts(summary, SHOWN),
        "metrics": [metric_row(key, result) for key in result.get("metrics", {})],
        "scaled": False,
        "orders": _table((result.get("facts") or {}).get("orders") or []),
        "learnt": {key: value for key, value in (result.get("facts") or {}).items() if key != "orders"},
        "notes": [event["text"] for event in events if event["event"] == "note"],
        "surprising": {kind: [_shaded(text) for text in texts] for kind, texts in surprising.items()},
        "samples": result.get("samples") or [],
        "figures": figures(events),
        "versions": {"lossworks": summary.get("lossworks"), **(summary.get("versions") or {})},
    }


def figures(events: Sequence[Json]) -> dict[str, Json]:
    """The charts there is something to draw for."""
    curve = _curve([event for event in events if event["event"] in ("iteration", "train", "valid")])
    return {"curve": curve} if curve else {}


def _verdict(summary: Json) -> Verdict:
    """What the run shows about the model, and no more than that."""
    result = summary.get("result")
    if not result:
        again = "Nothing is kept of what was half learnt: fit again."
        status = str(summary.get("status"))
        headline = "The run was interrupted" if status == "interrupted" else "The run has not finished"
        return Verdict("bad" if status in ("failed", "diverged") else "unsure", headline, f"There is no result. {again}")
    if "metrics" not in result:
        return Verdict("unsure", "Not tested", f"{str(result['note']).capitalize()}.")
    metric, floor = result["metrics"]["bits_per_byte"], result["baseline"]["metrics"]["bits_per_byte"]["value"]
    if metric["value"] is None:
        sentence = "A test text holds a token that the model takes for impossible, so its surprise is infinite."
        return Verdict("bad", "Infinitely surprised", f"{sentence} Smoothing that leaves nothing impossible is the remedy.")
    sentence = (
        f"Packed by the model, a byte of the {result['rows']:,} held-out text{'' if result['rows'] == 1 else 's'} would take "
        f"{words.number('bits_per_byte', metric['value'])} bits (95{THIN}% interval {words.interval('bits_per_byte', metric)}); "
        f"by a model that knows only how frequent each token is, {words.number('bits_per_byte', floor)}."
    )
    if metric["high"] is not None and metric["high"] < floor:
        return Verdict("good", "Better than the baseline", sentence)
    if metric["low"] is not None and metric["low"] > floor:
        return Verdict("bad", "Worse than the baseline", sentence + " The model does worse than not looking at the context.")
    return Verdict("unsure", "Not shown to be better than the baseline", sentence + " The interval does not clear the baseline.")


def _table(rows: Sequence[Json]) -> Json:
    """Facts about the orders of n-grams as a table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return {"columns": [key.replace("_", " ") for key in columns], "rows": [[row.get(key) for key in columns] for row in rows]}


def _shaded(text: Json) -> Json:
    """A text whose tokens each have a shade, 0 to 7, and their nats."""
    tokens = [
        {"token": token, "nats": nats, "shade": min(int(_STEPS * nats / _REDDEST), _STEPS - 1)} for token, nats in text["tokens"]
    ]
    return {**text, "tokens": tokens, "spaced": not any(len(token) > 1 and token[0] == " " for token, _ in text["tokens"])}


def _curve(events: Sequence[Json]) -> Json | None:
    """The loss over the iterations, where learning had any."""
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
