"""``lossworks landscape``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    data: Annotated[str | None, typer.Argument(help="What it was trained on, where that has moved.", show_default=False)] = None,
    plane: Annotated[
        str, typer.Option("--plane", help="trajectory: where training went; random: two random directions.")
    ] = "trajectory",
    resolution: Annotated[int, typer.Option("--resolution", help="Points along each side.")] = 25,
    rows: Annotated[int, typer.Option("--rows", help="Training rows that the loss is a mean over.")] = 2000,
    span: Annotated[
        float | None,
        typer.Option(
            "--span", help="How far a random plane reaches, 1 being the weights' own length.  [default: 1]", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the rows and the random directions.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page to write.  [default: RUN/landscape.html]", show_default=False)
    ] = None,
    valid: Annotated[str | None, typer.Option("--valid", help="Validation rows that were a file.", show_default=False)] = None,
    test: Annotated[str | None, typer.Option("--test", help="Test rows that were a file.", show_default=False)] = None,
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "few",
    format: options.Format = None,
    header: options.Header = None,
    label_sep: options.LabelSep = None,
    device: Annotated[
        str | None, typer.Option("--device", help="Where to train.  [default: as then]", show_default=False)
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The loss around the trained weights as a surface to turn, with the way that training took; it trains once more."""
    from ..api import landscape
    from ..engine import Callbacks
    from .progress import Repeating
    from .tables import say

    with Repeating(quiet or json) as watcher:
        found = landscape(
            run,
            data,
            plane=plane,
            resolution=resolution,
            rows=rows,
            span=span,
            seed=seed,
            valid=valid,
            test=test,
            read=options.read_options(text, label, weight, encoding, bad_rows, format, header, label_sep=label_sep),
            device=device,
            callbacks=Callbacks(watch=watcher),
        )
    page = found.write(out)
    if not found.found.exact:
        say(f"note   {found}", "yellow")
    if json:
        print_json({**found.to_json(), "page": str(page)})
    elif not quiet:
        print(page)
