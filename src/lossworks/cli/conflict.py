"""Which languages conflict, in a terminal."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..report.slices import p_value
from .tables import console, number, print_whole, table_of
from .visible import in_line

_MOST = 10  # pairs shown


def tell_conflict(found: dict[str, Any]) -> None:
    """The verdict and the worst pairs."""
    screen, pairs = console(), found["pairs"]
    screen.print(Text("\nGradients of languages, the pairs that conflict first", "bold"))
    screen.print(in_line(found["verdict"]))
    table = table_of("")
    for name in ("cosine", "95 % interval", "p (Holm)", ""):
        table.add_column(name, justify="right")
    for pair in pairs[:_MOST]:
        ends = "–" if pair["cosine"] is None else f"{number(pair['low'])} to {number(pair['high'])}"
        value = "–" if pair["cosine"] is None else number(pair["cosine"])
        table.add_row(in_line(" and ".join(pair["languages"])), value, ends, p_value(pair["p_holm"]), pair["word"])
    print_whole(table)
    if len(pairs) > _MOST:
        screen.print(Text(f"{len(pairs) - _MOST:,} more pairs: --json has all.", "dim"))
