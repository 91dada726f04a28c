"""The slices of ``lossworks evaluate --slices`` in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.text import Text

from ..report.slices import AS_TRAINED, p_value
from .tables import console, number, print_whole, table_of

_MOST = 20  # slices shown; --json and --html have all


def tell_slices(found: dict[str, Any]) -> None:
    """For each table what was found, in words, and the slices that differ; and what could not be looked at."""
    screen = console()
    for table in found["tables"]:
        paired, shown = table["against"] is not None, [one for one in table["slices"] if one["word"] != "no difference shown"]
        name = f"Slices of {table['run']}, its difference from {table['against']}" if paired else "Slices"
        screen.print(Text(f"\n{name}, in {found['unit']}", "bold"))
        screen.print(table["verdict"])
        if shown:
            print_whole(_table(shown[:_MOST], paired))
        if len(shown) > _MOST:
            screen.print(Text(f"{len(shown) - _MOST:,} more differ: --json or --html FILE has them.", "dim"))
    if found["tables"][0]["against"] is not None:
        screen.print(Text(AS_TRAINED, "dim"))
    for line in _notes(found):
        screen.print(Text(line, "dim"))


def _notes(found: dict[str, Any]) -> list[str]:
    """What was not tested, and why."""
    few = Counter(kind for kind, _, _ in found["tables"][0]["untested"])
    told = ", ".join(f"{count:,} by {kind}" for kind, count in few.items())
    lines = [f"Left out: {what}." for what in found["left_out"]]
    return [*([f"Not tested, with fewer than {found['fewest']} texts inside or outside: {told}."] if told else []), *lines]


def _table(shown: list[dict[str, Any]], paired: bool) -> Any:
    from ..evidence.slices import title

    table = table_of("")
    names = ("texts", "share", "there", "elsewhere", "difference", "p (Holm)", "adds" if paired else "excess", "")
    for name in names:
        table.add_column(name, justify="right")
    for one in shown:
        described = title(one["kind"], one["name"])
        own = f"{number(one['inside_low'])} to {number(one['inside_high'])}" if paired else ""
        excess = "–" if one["excess"] is None else number(one["excess"]) if paired else f"{one['excess']:+.1%}"
        table.add_row(
            described + (f"\n= {', '.join(one['also'])}" if one["also"] else ""), f"{one['texts']:,}", f"{one['share']:.1%}",
            f"{number(one['inside'])}\n{own}", number(one["outside"]),
            f"{number(one['value'])}\n{number(one['low'])} to {number(one['high'])}", p_value(one["p_holm"]), excess, one["word"],
        )  # fmt: skip
    return table
