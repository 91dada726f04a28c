"""``lossworks evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    data: Annotated[str, typer.Argument(help="Text as `lossworks fit` takes it, with labels for a model of labels.")],
    text: options.Text = None,
    label: options.Label = None,
    weight: options.Weight = None,
    encoding: options.Encoding = "utf-8",
    bad_rows: options.BadRows = "error",
    format: options.Format = None,
    header: options.Header = None,
    device: options.Device = "cpu",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Figures of a trained model on other text, each with its interval and the baseline beside it."""
    from ..verbs import evaluate, load
    from .tables import console, metrics_table, say

    result = evaluate(load(run, device), data, options.read_options(text, label, weight, encoding, bad_rows, format, header))
    if json:
        print_json({"run": str(run), **result})
        return
    if result["skipped"] and not quiet:
        say(f"note   {result['skipped']:,} bad rows left out", "yellow")
    for note in [] if quiet else result.get("notes", []):
        say(f"note   {note}", "yellow")
    if result["trained_on"]:
        say("note   the model was trained on rows of this very data: these figures flatter it", "yellow")
    console().print(metrics_table(result, f"{result['source']}: {result['rows']:,} rows"))
