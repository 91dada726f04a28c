"""Metrics by language in a terminal, the worst language first."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..report.by_language import NOTE, ONE_LABEL
from ..report.slices import p_value
from .tables import console, number, print_whole, table_of
from .visible import in_line

_MOST = 10  # languages shown


def tell_languages(found: dict[str, Any], whole: str) -> None:
    """What was found, in words, and the worst languages. ``whole``: what has all of them."""
    screen, metric, rows = console(), found["metric"], found["rows"]
    screen.print(Text(f"\nBy language, the highest {metric} first", "bold"))
    screen.print(in_line(found["verdict"]))
    others = [name for name in (rows[0]["metrics"] if rows else ()) if name not in (metric, "ece")]
    table = table_of("")
    one_label = any("one_label" in row for row in rows)
    for name in ("texts", metric, "corrected 95 %", *others, *(["one label"] * one_label), "vs. others", "p (Holm)", ""):
        table.add_column(name, justify="right")
    for row in rows[:_MOST]:
        apart, ends = row["difference"], row["corrected"]
        table.add_row(
            in_line(row["language"]), f"{row['texts']:,}", number(row["loss"]),
            "–" if ends is None else f"{number(ends['low'])} to {number(ends['high'])}",
            *(number(row["metrics"][name]["value"]) for name in others),
            *([number(row.get("one_label"))] * one_label),
            "–" if apart is None else number(apart["value"]), p_value(row["p_holm"]), row["word"],
        )  # fmt: skip
    print_whole(table)
    if len(rows) > _MOST:
        screen.print(Text(f"{len(rows) - _MOST:,} more languages: {whole}.", "dim"))
    if one_label:
        screen.print(Text(ONE_LABEL, "dim"))
    if metric == "nats_per_text":
        screen.print(Text(NOTE, "dim"))


def tell_pairs(told: list[dict[str, Any]]) -> None:
    """Each model's difference from the first by language, those that lose most first."""
    screen = console()
    for one in told:
        screen.print(Text(f"\n{one['run']} less {one['against']}, by language ({one['unit'].removeprefix('of ')})", "bold"))
        screen.print(in_line(one["sentence"]))
        table = table_of("")
        for name in ("texts", "difference", "95 % interval", "p (Holm)", ""):
            table.add_column(name, justify="right")
        for row in one["rows"][:_MOST]:
            ends = "–" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"
            p = p_value(row["p_holm"])
            table.add_row(in_line(row["language"]), f"{row['texts']:,}", number(row["value"]), ends, p, row["word"])
        print_whole(table)
        if len(one["rows"]) > _MOST:
            screen.print(Text(f"{len(one['rows']) - _MOST:,} more languages: --json has all.", "dim"))
