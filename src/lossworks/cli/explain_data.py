"""What explanations of a data set come to, in the terminal: the verdict, and the parts that matter most for each quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from .explained import TONES
from .tables import console
from .visible import in_line

if TYPE_CHECKING:
    from ..api import ExplainedData

_SHOWN = 10  # parts on each side


def tell(found: ExplainedData) -> None:
    """All of it for people."""
    screen = console()
    told = found.to_json()
    screen.print(f"{told['source']}: {told['explained']:,} of {told['rows']:,} rows explained. {_left_out(told)}")
    for group in told["parts"]:
        screen.print(f"\n{group['quantity']}, over {group['texts']:,} texts", style="bold")
        for side, kinds in (("raises", group["raising"]), ("lowers", group["lowering"])):
            screen.print(_table(side, kinds))
    if told["trial"]:
        screen.print(f"\n{told['trial']['word']}", style=f"bold {TONES[told['trial']['word']]}", end="  ")
        screen.print(told["trial"]["sentence"])
    if told["planted"]:
        screen.print(told["planted"]["sentence"])
    screen.print(told["how"], style="dim")


def _left_out(told: dict[str, Any]) -> str:
    """The rows that were not looked at, and why."""
    lines = [
        f"{count:,} {reason}."
        for count, reason in ((told["repeated"], "repeat the text of another"), (told["long"], "have too many parts"))
        if count
    ]
    return " ".join(lines)


def _table(side: str, kinds: list[dict[str, Any]]) -> Table:
    """The parts on one side, with their mean shares and the intervals of those over texts."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in (f"{side} it", "texts", "mean share", "95 % interval"):
        table.add_column(name, justify="left" if name.endswith("it") else "right", min_width=12)
    for kind in kinds[:_SHOWN]:
        mean = kind["mean"]
        interval = "not known" if mean["low"] is None else f"{mean['low']:+.2g} to {mean['high']:+.2g}"
        table.add_row(in_line(kind["part"]), f"{kind['texts']:,}", f"{mean['value']:+.3g}", interval)
    return table
