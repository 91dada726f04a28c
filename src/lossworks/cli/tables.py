"""Figures as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_ORDER_DOWN = ("nll", "brier", "ece", "mse", "rmse", "mae", "nats_per_token", "perplexity", "bits_per_byte", "unknown_rate")
"""Metrics of which less is better."""


def metrics_table(result: dict[str, Any], title: str) -> Table:
    """Each metric with its interval, the baseline's beside it, and what it was before temperature scaling."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    baseline, before = result.get("baseline", {}), result.get("uncalibrated", {})
    columns = ["value", "95 % interval", baseline.get("name", "baseline"), *(["before scaling"] if before else [])]
    for name in ("", *columns):
        table.add_column(name, justify="right" if name else "left")
    for name, metric in result["metrics"].items():
        arrow = " ↓" if name in _ORDER_DOWN else ""
        interval = f"{number(metric['low'])} to {number(metric['high'])}"
        beside = [number(of[name]["value"]) if name in of else "" for of in (baseline.get("metrics", {}), before)]
        table.add_row(name + arrow, number(metric["value"]), interval, *beside[: len(columns) - 2])
    return table


def number(value: float | None) -> str:
    """Four decimals, or as many digits as a large or tiny number needs."""
    if value is None:
        return "–"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def console(stderr: bool = False) -> Console:
    """A console that does not colour what a user's text happens to look like."""
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def say_notes(notes: Iterable[str]) -> None:
    """What people should know beside an answer, a line each."""
    for note in notes:
        say(f"note   {note}", "yellow")


def say(message: str, style: str = "") -> None:
    """One line to stderr, where progress goes."""
    console(stderr=True).print(Text(message, style=style))
