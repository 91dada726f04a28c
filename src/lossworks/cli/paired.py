"""What changed between two models on the same rows, as people read it in a terminal."""

from __future__ import annotations

from typing import Any

from ..core.wording import counted
from ..report.against import CAUTION, rows
from ..report.words import smart
from .tables import console, number, print_whole, table_of


def tell_paired(found: dict[str, Any], title: str) -> None:
    """The metrics before and after with their paired differences, and the answers that changed."""
    table = table_of(title)
    for name in ("before", "after", "difference", "95 % interval", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right")
    for name, one in found["metrics"].items():
        apart = one.get("difference")
        told = ("", "") if apart is None else (_signed(apart["value"]), f"{_signed(apart['low'])} to {_signed(apart['high'])}")
        table.add_row(name, number(one["before"]), number(one["after"]), *told, one["word"] or "")
    print_whole(table)
    for line in sentences(found):
        console().print(line)


def tell_against(found: dict[str, Any]) -> None:
    """A run held against the one before: the verdict, the figures, and which settings differ."""
    screen = console()
    screen.print(f"{found['verdict']['headline']}.")
    tell_paired(found["held_out"], f"{rows(found)}, against {found['against']}")
    if found["settings"]:
        table = table_of("Settings that differ")
        for name in ("before", "now"):
            table.add_column(name)
        for name, *values in found["settings"]:
            table.add_row(name, *map(smart, values))
        print_whole(table)
    else:
        screen.print("Data, settings and version are the same.")
    screen.print(CAUTION)


def sentences(found: dict[str, Any]) -> list[str]:
    """What is said below the table."""
    if found["task"] == "lm":
        told = [f"{found['fixed']:,} {_units(found)} cost fewer bits, {found['broken']:,} more."]
        return told + ([f"{found['impossible']:,} hold a token of probability 0."] if found["impossible"] else [])
    if found["agreement"] is None:
        moved = f"The largest change of an answer is {found['largest_change']:.4g}."
        return [f"{found['fixed']:,} answers came nearer to the truth, {found['broken']:,} went further from it. {moved}"]
    same = f"Answers agree on {100 * found['agreement']:.4g} % of {counted(found['rows'], 'row')}"
    moved = f"{found['fixed']:,} became right, {found['broken']:,} wrong"
    return [f"{same}: {moved}. The largest change of a probability is {found['largest_change']:.3f}."]


def _units(found: dict[str, Any]) -> str:
    return "texts" if found["units"] == "texts" else "segments"


def _signed(value: float) -> str:
    return f"{value:+.4f}" if abs(value) >= 1e-3 or value == 0 else f"{value:+.2g}"
