"""A run's metrics as table rows, each with a strip that shows the interval against the baseline."""

from __future__ import annotations

from collections.abc import Mapping

from . import words
from .words import Json


def scaled(result: Json) -> bool:
    """Whether temperature scaling changed the probabilities."""
    return result.get("temperature") not in (None, 1, 1.0) and bool(result.get("uncalibrated"))


def unscaled(result: Json) -> str:
    """Why a figure may be better before scaling, where the nll is; else nothing."""
    before = (result.get("uncalibrated") or {}).get("nll", {}).get("value")
    after = (result.get("metrics") or {}).get("nll", {}).get("value")
    if before is None or after is None or before >= after:
        return ""
    return "Before scaling nll is lower here: the temperature was fitted to the validation rows, and need not help on others."


def metric_row(key: str, result: Json, names: Mapping[str, tuple[str, str]] = words.NAMES) -> Json:
    """A metric with its interval and baseline, as text and as positions on a strip."""
    metric = result["metrics"][key]
    floor = result["baseline"]["metrics"].get(key) or {"value": None}
    before = (result.get("uncalibrated") or {}).get(key) if scaled(result) else None
    title, hint = names.get(key, (key, ""))
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
    """Positions of interval, value and baseline on a line from 0, in per cent of its length."""
    numbers = {"low": metric["low"], "high": metric["high"], "value": metric["value"], "floor": floor}
    if any(number is None or number < 0 for number in numbers.values()):
        return None
    whole = max(numbers.values()) * 1.08 if key in words.FALLING else 1.0
    return {name: round(100 * number / (whole or 1), 2) for name, number in numbers.items()}
