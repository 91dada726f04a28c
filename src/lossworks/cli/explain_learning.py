"""``lossworks explain RUN --learning``: when the training rows were learned, told in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..tokens.graphemes import shortened
from .options import print_json
from .running import opened
from .tables import console, number, print_whole, say, table_of
from .visible import in_line

if TYPE_CHECKING:
    from ..api import Learning

_MOST, _LONGEST = 10, 70  # rows shown, and characters of each


def learn_and_tell(
    run: Path, data: str | None = None, *, html: Path | None = None, json: bool = False, quiet: bool = False, **how: Any
) -> None:
    """Train again and look at the rows, write the page, and print a summary, or one JSON object.

    Args:
        run: a run directory. data: what it was trained on, where that has moved.
        html: the page; ``learning.html`` in the run where none is told.
        json, quiet: as the flags say.
        how: as of ``api.learning``: valid, test, read, device, looks.
    """
    from ..api import learning
    from ..engine import Callbacks
    from .progress import Repeating

    with Repeating(quiet or json) as watcher:
        found = learning(run, data, callbacks=Callbacks(watch=watcher), **how)
    page = found.write(html)
    if not found.found.exact:
        say("note   the training did not end in the saved model's bits: other versions, or another machine", "yellow")
    if json:
        print_json({**found.to_json(), "page": str(page)})
    else:
        tell_learning(found, page)


def tell_learning(found: Learning, page: Path) -> None:
    """What was seen, in words; how many rows were learned when; the rows hardest to learn; the page."""
    from ..report.learning import sentence

    screen = console()
    screen.print(sentence(found.found))
    for name, title in (("hard", "Hardest to learn"), ("ambiguous", "Most ambiguous")):
        screen.print(Text(f"\n{title}", "bold"))
        print_whole(_table(found.lists[name][:_MOST]))
    screen.print(
        Text("Hard rows may be mislabelled, rare, ambiguous or too much for the model: read them before you change any.", "dim")
    )
    screen.print(f"Next:  {opened(page)}")


def _table(rows: list[dict[str, Any]]) -> Any:
    """Rows with their courses; of numbers without what is right and forgotten."""
    labelled = "correctness" in rows[0]
    table = table_of("")
    for name in ("confidence", "variability", "right at", "forgotten") if labelled else ("mean error", "variability"):
        table.add_column(name, justify="right")
    table.add_column("label")
    table.add_column("text")
    for row in rows:
        figures = [number(row["mean"]), number(row["spread"])]
        figures += [f"{row['correctness']:.0%}", str(row["forgotten"])] if labelled else []
        text = shortened(row["text"], _LONGEST)
        table.add_row(row["place"], *figures, in_line(str(row["label"])), in_line(text))
    return table
