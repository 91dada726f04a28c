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
        screen.print(_table(group))
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


def _table(group: dict[str, Any]) -> Table:
    """What raises the quantity on the left, what lowers it on the right; mean shares with their intervals."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("raises it", "texts", "mean share", "lowers it", "texts", "mean share"):
        table.add_column(name, justify="left" if name.endswith("it") else "right")
    for number in range(min(_SHOWN, max(len(group["raising"]), len(group["lowering"])))):
        table.add_row(*_cells(group["raising"], number), *_cells(group["lowering"], number))
    return table


def _cells(kinds: list[dict[str, Any]], number: int) -> tuple[str, str, str]:
    if number >= len(kinds):
        return "", "", ""
    kind, mean = kinds[number], kinds[number]["mean"]
    return in_line(kind["part"]), f"{kind['texts']:,}", f"{mean['value']:+.3g} ({mean['low']:+.2g} to {mean['high']:+.2g})"
