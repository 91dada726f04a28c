"""Figures as people read them in a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from textwrap import fill
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_SHELL = re.compile(r"Next:  | {7}|  lossworks ")
"""How lines begin that are typed into a shell."""
_ORDER_DOWN = ("nll", "brier", "ece", "mse", "rmse", "mae", "nats_per_token", "perplexity", "bits_per_byte", "unknown_rate")
"""Metrics of which less is better."""


def metrics_table(result: dict[str, Any], title: str) -> Table:
    """Each metric with its interval, beside it the baseline's, what an n-gram model reaches beside a network, and what it was
    before temperature scaling.
    """
    table = table_of(title)
    rivals = [result.get(kind) or {} for kind in ("baseline", "ngram")]
    beside = {rival["name"]: rival["metrics"] for rival in rivals if "metrics" in rival}
    if before := result.get("uncalibrated", {}):
        beside["before scaling"] = before
    for name in ("value", "95 % interval", *beside):
        table.add_column(name, justify="right")
    for name, metric in result["metrics"].items():
        arrow = " ↓" if name in _ORDER_DOWN else ""
        interval = f"{number(metric['low'])} to {number(metric['high'])}"
        figures = [number(of[name]["value"]) if name in of else "" for of in beside.values()]
        table.add_row(name + arrow, number(metric["value"]), interval, *figures)
    return table


def print_metrics(result: dict[str, Any], title: str) -> None:
    """Print them, and why a figure may be better before scaling where one is."""
    from ..report.metric_rows import unscaled  # tables alone do not need what pages are made of

    print_whole(metrics_table(result, title))
    if note := unscaled(result):
        console().print(Text(note, "dim"))


def number(value: float | None) -> str:
    """Four decimals, or as many digits as a large or tiny number needs."""
    if value is None:
        return "–"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.4g}"


def table_of(title: str) -> Table:
    """A table without lines; its first column has no name."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    return table


def print_whole(table: Table) -> None:
    """Print a table with no figure broken: on a narrow screen its headings are, and if that is not enough, each row is a list."""
    screen = console()

    def wide() -> int:
        return Measurement.get(screen, screen.options.update(max_width=1000), table).maximum

    if has_width(screen) and wide() > screen.width:
        for column in table.columns:
            column.header = _broken(column)
        if wide() > screen.width:
            screen.print(_listed(table))
            return
    screen.width = max(screen.width, wide())
    screen.print(table)


def _broken(column: Column) -> str:
    """A column's heading on lines no longer than its cells, or its longest word."""
    heading = str(column.header)
    widest = max(cell_len(line) for text in [*map(str, column.cells), *heading.split()] for line in text.split("\n"))
    return fill(heading, max(1, widest), break_long_words=False, break_on_hyphens=False)


def _listed(table: Table) -> Text:
    """A table's rows one after the other, each with a line for every figure."""
    names = [" ".join(str(column.header).split()) for column in table.columns]
    lines = [] if table.title is None else [Text(str(table.title), "bold")]
    for first, *cells in zip(*(column.cells for column in table.columns), strict=True):
        lines.append(Text(str(first)))
        for name, cell in zip(names[1:], cells, strict=True):
            if figure := ", ".join(str(cell).split("\n")):
                lines.append(Text(f"  {name}: {figure}" if name else f"  {figure}"))
    return Text("\n").join(lines)


class Screen(Console):
    """A console that breaks prose between words where it is too wide; what is for the shell stays whole, to be copied."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As Rich's own."""
        told = Text(objects[0]) if len(objects) == 1 and isinstance(objects[0], str) else next(iter(objects), None)
        if len(objects) > 1 or not isinstance(told, Text) or not has_width(self) or cell_len(told.plain) <= self.width:
            super().print(*objects, **how)
            return
        for line in told.split("\n", allow_blank=True):
            indent = len(line.plain) - len(line.plain.lstrip())
            whole = cell_len(line.plain) <= self.width or _SHELL.match(line.plain)
            parts = [line] if whole else [Text(" " * indent) + part for part in line[indent:].wrap(self, self.width - indent)]
            for part in parts:
                super().print(part, **how)


def has_width(screen: Console) -> bool:
    """Whether lines should fit: what is piped has no width."""
    return screen.is_terminal or "COLUMNS" in os.environ


def console(stderr: bool = False) -> Console:
    """A console that does not colour what a user's text happens to look like."""
    return Screen(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def say_notes(notes: Iterable[str]) -> None:
    """What people should know beside an answer, a line each."""
    for note in notes:
        say(f"note   {note}", "yellow")


def say(message: str, style: str = "") -> None:
    """One line to stderr, where progress goes."""
    console(stderr=True).print(Text(message, style=style))
