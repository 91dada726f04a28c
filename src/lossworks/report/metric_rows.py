"""A run's metrics as rows of a table, each with a strip that shows the interval against the baseline."""

from __future__ import annotations

from . import words
from .words import Json


def scaled(result: Json) -> bool:
    """Whether the probabilities were changed by a temperature."""
    return result.get("temperature") not in (None, 1, 1.0) and bool(result.get("uncalibrated"))


def metric_row(key: str, result: Json) -> Json:
    """A metric as the table shows it, with its interval and the baseline beside it, in words and as places on a strip."""
    metric = result["metrics"][key]
    floor = result["baseline"]["metrics"].get(key) or {"value": None}
    before = (result.get("uncalibrated") or {}).get(key) if scaled(result) else None
    title, hint = words.NAMES.get(key, (key, ""))
    return {
        "title": title,
        "hint": hint,
        "value": words.number(key, metric["value"]),
        "interval": words.interval(key, metric),
        "baseline": words.number(key, floor["value"]),
        "before": words.number(key, before["value"]) if before else "",
        "falling": key in words.FALLING,
        "strip": _strip(metric, floor["value"], key),
    }


def _strip(metric: Json, floor: float | None, key: str) -> Json | None:
    """Where the interval, the value and the baseline stand on a line from 0, in per cent of its length."""
    numbers = {"low": metric["low"], "high": metric["high"], "value": metric["value"], "floor": floor}
    if any(number is None or number < 0 for number in numbers.values()):
        return None
    whole = max(numbers.values()) * 1.08 if key in words.FALLING else 1.0
    return {name: round(100 * number / (whole or 1), 2) for name, number in numbers.items()}
