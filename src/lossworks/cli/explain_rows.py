"""``lossworks explain RUN TEXT --rows``: which training rows raised a text's loss, and which lowered it, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..tokens.graphemes import shortened
from .options import print_json
from .tables import console, number, print_whole
from .visible import in_line

if TYPE_CHECKING:
    from ..api.influence import Influence

_LONGEST = 70  # characters of a row


def tell_rows(run: Path, found: Sequence[Influence], *, json: bool) -> None:
    """All of it for people, or one JSON object."""
    if json:
        print_json({"run": str(run), "texts": [each.to_json() for each in found]})
        return
    screen = console()
    for each in found:
        of = "" if each.label is None else f" as {each.label}"
        screen.print(
            Text(f"{in_line(each.text)}\n", "bold") + f"  loss{of} {number(each.loss)} {each.unit}; {each.rows:,} training rows"
        )
        for title, rows in (("raised by", each.raised), ("lowered by", each.lowered)):
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
            judged = any(row.shown is not None for row in rows)
            for name in (title, "label", each.unit, *(("95 %", "") if judged else ()), "where"):
                table.add_column(name, justify="right" if name in (each.unit, "95 %") else "left")
            for row in rows:
                text = shortened(row.text, _LONGEST)
                figures = [f"{row.influence:+.3g}"]
                figures += [f"{row.low:+.3g} to {row.high:+.3g}", "shown" if row.shown else ""] if judged else []
                table.add_row(in_line(text), "" if row.label is None else str(row.label), *figures, row.place)
            print_whole(table)
        if each.unknown:
            screen.print(f"  {each.unknown:,} rows are left out: without one of them there would be no model.", style="dim")
        if not each.is_shown:
            screen.print("  Nothing is shown: of no row does the interval exclude 0.")
        screen.print(f"  {each.method}\n", style="dim")
