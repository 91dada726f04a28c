"""``lossworks show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    name: Annotated[
        str,
        typer.Argument(help="What lossworks list names (a loss, model, tokenizer, …), or its spec: focal:gamma=5."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a page with curves to look at closely instead.", show_default=False)
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What a loss is: formula, domain, limit, gradient, keys, source, and its curve. So for every other member."""
    from ..api import show

    shown = show(name)
    page = shown.write(out) if out is not None else None
    if json:
        print_json(shown.to_json() | ({"page": str(page)} if page else {}))
    elif page is None:
        print(shown)
    elif not quiet:
        print(page)
