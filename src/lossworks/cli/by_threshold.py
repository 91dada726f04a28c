"""What a classifier does label by label, and threshold by threshold, in a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from ..core.wording import counted
from ..report.by_threshold import flag
from .tables import console, print_whole, table_of
from .visible import in_line

MOST_LABELS = 20
"""Labels up to which each has a line."""


def tell_labels(rows: list[dict[str, Any]]) -> None:
    """Precision, recall and F1 of each label; of more than 20 where to find them."""
    console().print()
    if len(rows) > MOST_LABELS:
        console().print(Text(f"{counted(len(rows), 'label')}: --json has the precision, recall and F1 of each.", "dim"))
        return
    table = table_by("By label", "texts", "precision", "recall", "F1")
    for row in rows:
        name, texts = in_line(row["label"]), f"{row['support']:,}"
        table.add_row(name, texts, percent(row["precision"]), percent(row["recall"]), f"{row['f1']:.3f}")
    print_whole(table)


def tell_thresholds(found: dict[str, Any], evaluated: str) -> None:
    """Of two classes what answering the rarer from a threshold on does; of more, what answering only above one does; and how one
    is found for a precision, on what was ``evaluated``.
    """
    screen, label = console(), found["label"]
    screen.print()
    if label is None:
        table = table_by("Answered from a probability of", "answered", "share", "accuracy", "95 %")
        for row in found["answered"]:
            table.add_row(f"{row['threshold']:g}", f"{row['texts']:,}", percent(row["share"]), *interval(row["accuracy"]))
        print_whole(table)
        screen.print(Text(f"Next:  lossworks evaluate {evaluated} --precision LABEL=0.9"))
        return
    name, average = in_line(label["label"]), label["average_precision"]
    ends = f"95 % interval {average['low']:.3f} to {average['high']:.3f}"
    share = percent(label["base_rate"])
    screen.print(Text(f"{share} of the texts are {name}; its average precision is {average['value']:.3f} ({ends})."))
    columns = ("texts", "precision", "95 %", "recall", "95 %", "F1", "false", "FPR")
    table = table_by(f"Called {name} from a probability of", *columns)
    for row in label["thresholds"]:
        table.add_row(
            f"{row['threshold']:g}", f"{row['texts']:,}", *interval(row["precision"]), *interval(row["recall"]),
            f"{row['f1']:.3f}", f"{row['false_positives']:,}", percent(row["false_positive_rate"]),
        )  # fmt: skip
    print_whole(table)
    other = in_line(label["other"])
    screen.print(Text(f"False: texts that are {other} and called {name}; FPR: their share of all {other}.", "dim"))
    screen.print(Text(f"Next:  lossworks evaluate {evaluated} {flag('precision', name, '0.9')}"))


def table_by(title: str, *columns: str) -> Table:
    """A table whose columns are numbers."""
    table = table_of(title)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def percent(share: float | None) -> str:
    """A share with its sign; of nothing there is none."""
    return "–" if share is None else f"{_hundredths(share)} %"


def _hundredths(share: float) -> str:
    return f"{100 * share:.1f}".replace("100.0", "100")


def interval(share: dict[str, Any]) -> tuple[str, str]:
    """A share and its interval; of nothing there is neither."""
    ends = "" if share["value"] is None else f"{_hundredths(share['low'])}–{_hundredths(share['high'])}"
    return percent(share["value"]), ends
