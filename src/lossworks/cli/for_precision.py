"""The threshold for a precision, in a terminal."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from ..report.by_threshold import flag
from .by_threshold import interval, percent, table_by
from .tables import console, print_whole
from .visible import in_line

_HERE = (
    "Here: the lowest threshold that does it on these texts. Chosen for that, it falls short on others about every second time."
)
_SHOWN = "Shown: the lowest one from which texts like these have that precision too; at most 5 % of such findings are wrong."


def tell_precisions(found: list[dict[str, Any]], run: str) -> None:
    """The thresholds of each label that a precision was asked for, how to read them, and how to predict with them."""
    if not found:
        return
    screen = console()
    for one in found:
        _tell(one)
    if any(one["here"] for one in found):
        screen.print(Text(_HERE, "dim"))
    if any(one["shown"] for one in found):
        screen.print(Text(_SHOWN, "dim"))
    chosen = [(one["label"], best["threshold"]) for one in found if (best := one["shown"] or one["here"])]
    if chosen:
        flags = [f"--threshold {cut:g}" if label is None else flag("threshold", label, f"{cut:g}") for label, cut in chosen]
        screen.print(Text(f"Next:  lossworks predict {run} TEXTS {' '.join(flags)}"))


def _tell(one: dict[str, Any]) -> None:
    """The table of one label, or of all together, and what is missing in it."""
    screen, label, wanted = console(), one["label"], f"{100 * one['wanted']:g} %"
    screen.print()
    what = "answers" if label is None else f"texts called {in_line(label)}"
    if one["here"] is None:
        screen.print(Text(f"From no threshold on are {wanted} of the {what} right."))
        return
    columns = ("answered", "share", "accuracy", "95 %") if label is None else ("called", "precision", "95 %", "recall", "95 %")
    table = table_by(f"{'Answers' if label is None else in_line(label)} with a precision of {wanted}", "from", *columns)
    for kind in ("here", "shown"):
        if row := one[kind]:
            right = interval(row["precision"])
            figures = (percent(row["share"]), *right) if label is None else (*right, *interval(row["recall"]))
            table.add_row(kind, f"{row['threshold']:g}", f"{row['texts']:,}", *figures)
    print_whole(table)
    if one["shown"] is None:
        screen.print(
            Text(f"Of other texts it is shown from no threshold on: that takes {one['fewest']:,} {what}, if all are right.")
        )
