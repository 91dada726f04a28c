"""What each threshold of a probability does: a section of a run's page."""

from __future__ import annotations

import shlex

from . import charts, words
from .words import Json


def context(result: Json) -> Json | None:
    """What the page says of thresholds, where the result tells of them."""
    found = result.get("by_threshold")  # missing in earlier records
    if not found:
        return None
    answered = [
        {
            "threshold": f"{row['threshold']:g}",
            "texts": words.smart(row["texts"]),
            "share": words.number("accuracy", row["share"]),
            "accuracy": _interval(row["accuracy"]),
        }
        for row in found["answered"]
    ]
    return {"answered": answered, "label": None if found["label"] is None else _label(found["label"])}


def flag(name: str, label: str, number: str) -> str:
    """How a number of a label, its threshold or precision, is told to a flag of that ``name``."""
    return f"--{name} {shlex.quote(f'{label}={number}')}"


def chart(result: Json) -> Json | None:
    """The precision-recall curve; None where there is none."""
    found = (result.get("by_threshold") or {}).get("label")
    if not found or not found["curve"]:
        return None
    return charts.precision_recall(found["curve"], found["thresholds"], found["base_rate"])


def _label(found: Json) -> Json:
    average = found["average_precision"]
    rows = [
        {
            "threshold": f"{row['threshold']:g}",
            "texts": words.smart(row["texts"]),
            "precision": _interval(row["precision"]),
            "recall": _interval(row["recall"]),
            "f1": words.number("f1", row["f1"]),
            "wrong": words.smart(row["false_positives"]),
            "rate": words.number("accuracy", row["false_positive_rate"]),
        }
        for row in found["thresholds"]
    ]
    return {
        "label": found["label"],
        "other": found["other"],
        "base_rate": words.number("accuracy", found["base_rate"]),
        "average_precision": words.number("", average["value"]),
        "range": words.interval("", average),
        "flag": flag("threshold", found["label"], "0.9"),
        "rows": rows,
    }


def _interval(share: Json) -> tuple[str, str]:
    """A share and its interval; of nothing there is neither."""
    value = words.number("accuracy", share["value"])
    return value, "" if share["value"] is None else words.interval("accuracy", share)
