"""``lossworks report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories made by `lossworks fit`.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write each run's report.html anew from its record; nothing is run again."""
    from ..report import write

    pages = [str(write(run)) for run in runs]
    if json:
        print_json({"reports": pages})
    elif not quiet:
        print("\n".join(pages))
