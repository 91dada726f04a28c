"""``lossworks data worth``: how many gold labels a model is worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .options import print_json

if TYPE_CHECKING:
    from ..api.labels_worth import LabelsWorth


def command(
    run: Annotated[Path, typer.Argument(help="The run of a classifier, say one taught by votes.", show_default=False)],
    data: Annotated[str, typer.Argument(metavar="LABELLED", help="Rows with gold labels, to draw from.", show_default=False)],
    test: Annotated[str, typer.Option("--test", help="Other rows with gold labels, to judge on.", show_default=False)],
    draws: Annotated[int, typer.Option("--draws", help="How often rows are drawn for each number of labels.")] = 10,
    model: Annotated[
        str | None, typer.Option("--model", help="What is trained on them.  [default: the run's family]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draws and the trainings.")] = 0,
    text: options.Text = None,
    label: options.Label = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """How many gold labels a class would make as good a classifier."""
    from ..api.labels_worth import labels_worth
    from ..api.loading import load_labels
    from ..engine import Callbacks
    from ..training import Settings

    trained = load_labels(run, device)
    with _watcher(quiet or json) as watcher:
        found = labels_worth(
            trained,
            data,
            test,
            options.read_options(text, label, None, encoding, bad_rows, format, header),
            draws=draws,
            settings=Settings(model=model, device=device),
            seed=seed,
            callbacks=Callbacks(watch=watcher),
        )
    if json:
        print_json(found.to_json())
    else:
        _tell(found)


def _tell(found: LabelsWorth) -> None:
    """The answer, what it is from, and the accuracy at each number of labels."""
    from .tables import console

    rows, screen = found.did["rows"], console()
    screen.print(found.sentence)
    screen.print(
        f"Its accuracy on {rows['test']:,} test rows is {found.accuracy:.3f}. {found.did['model']}, trained on n labels a class "
        f"drawn {found.did['draws']} times from {rows['train']:,} rows:"
    )
    for point in found.points:
        interval = f"95 % interval {point.low:+.3f} to {point.high:+.3f}"
        screen.print(f"{point.labels:6,}  accuracy {point.accuracy:.3f}  difference {point.difference:+.3f} ({interval})")
    if rows["left_out"]:
        screen.print(f"Left out: {rows['left_out']:,} rows whose text is a test row's.")


def _watcher(quiet: bool) -> Any:
    from .progress import Watcher

    class Drawing(Watcher):
        """Shows which training is under way."""

        def _worth(self, fields: dict[str, Any]) -> None:
            self._show("training on gold labels", fields["number"], fields["of"], f"{fields['labels']:,} a class")

    return Drawing(quiet)
