"""``lossworks explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    texts: options.Texts = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Why a model answers as it does: a quantity of each text, divided among its parts."""
    from ..api import load

    model = load(run)
    found: Any = model.explain(texts or [])
    if json:
        print_json({"run": str(run), "explanations": [each.to_json() for each in found]})
        return
    for each in found:
        print(each)
