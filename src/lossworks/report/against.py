"""A run's page where it is held against the run before: the verdict, both ones' metrics, settings and curves."""

from __future__ import annotations

from collections.abc import Sequence

from . import words
from .plot import LEGEND, axis, figure, line, log_ticks, thin
from .words import Json

TONES = {"better": "good", "worse": "bad"}
CAUTION = (
    "Verdicts are corrected for the number of metrics (Holm). They are of these two models on these rows: the same settings "
    "trained with another seed would give other figures again. Whether settings make the difference, lossworks compare tells."
)
_SHOWN = 10  # texts of each kind


def context(found: Json, summaries: Sequence[Json]) -> Json:
    """What ``against.html`` is filled with, from what ``api.against`` found, and the records of the run before and of this."""
    held_out = found["held_out"]
    return {
        **found["verdict"],
        "tone": TONES.get(found["verdict"]["word"], "unsure"),
        "before": found["against"],
        "rows": rows(found),
        "caution": CAUTION,
        "metrics": [_metric(name, one) for name, one in held_out["metrics"].items()],
        "settings": found["settings"],
        "examples": [
            (title, held_out["examples"][kind][:_SHOWN], held_out[kind])
            for kind, title in _titles(held_out).items()
            if held_out["examples"][kind]
        ],
        "same_loss": summaries[0]["config"].get("loss") == summaries[1]["config"].get("loss"),
    }


def rows(found: Json) -> str:
    """The rows that both were judged on, in words."""
    held_out = found["held_out"]
    what = "test text" if held_out.get("units", "texts") == "texts" else "segment"
    shared, (before, now) = held_out["rows"], found["tested"]
    if what == "segment" or shared == before == now:
        return f"On the same {words.counted(shared, what)}"
    return f"On the {words.counted(shared, what)} that both have, of {before:,} of the run before and {now:,} of this"


def curves(watched: str, before: Sequence[Json], now: Sequence[Json], same_loss: bool) -> Json | None:
    """The learning curves of both: what each was validated by, ``watched``, and the loss of training where that is the same."""
    traces, values = [], []
    for name, events, color in (("before", before, "@second"), ("now", now, "@accent")):
        for kind, dash in (("valid", None), ("train", "dot")):
            points = thin(_points(events, kind, watched))
            if points and (kind == "valid" or same_loss):
                drawn = "validation" if kind == "valid" else "training loss"
                traces.append(line(points, f"{name}, {drawn}", color=color, width=2, dash=dash, marked=kind == "valid"))
                values += [y for _, y in points]
    scale = log_ticks(values) if values else {}
    title = words.NAMES.get(watched, (watched,))[0].lower()
    return figure(traces, xaxis=axis("epoch or iteration"), yaxis=axis(title, **scale), legend=LEGEND) if traces else None


def _points(events: Sequence[Json], kind: str, watched: str) -> list[tuple[float, float]]:
    """Of the validations the score, of steps the loss, of a fit by EM its iterations' likelihood."""
    keys = (("valid", watched), ("iteration", "held_out")) if kind == "valid" else (("train", "loss"), ("iteration", "nll"))
    return [
        (float(event["epoch" if "epoch" in event else "iteration"]), event[key])
        for event in events
        for name, key in keys
        if event["event"] == name and event.get(key) is not None
    ]


def _metric(name: str, one: Json) -> Json:
    apart = one.get("difference")
    return {
        "title": words.NAMES.get(name, (name.replace("_", " ").capitalize(),))[0],
        "falling": name in words.FALLING,
        "before": words.number(name, one["before"]),
        "after": words.number(name, one["after"]),
        "difference": "–" if apart is None else _signed(name, apart["value"]),
        "interval": "unknown" if apart is None else f"{_signed(name, apart['low'])} to {_signed(name, apart['high'])}",
        "word": one["word"] or "",
    }


def _signed(name: str, value: float) -> str:
    told = words.number(name, value).replace(f"{words.THIN}%", f"{words.THIN}points").replace("-", "−")
    return f"+{told}" if value > 0 else told


def _titles(held_out: Json) -> dict[str, str]:
    """What the two kinds of texts are called whose answers moved."""
    if held_out["task"] == "lm":
        return {"fixed": "Cost fewer bits", "broken": "Cost more bits"}
    if held_out["agreement"] is None:
        return {"fixed": "Came nearer to the truth", "broken": "Went further from it"}
    return {"fixed": "Became right", "broken": "Became wrong"}
