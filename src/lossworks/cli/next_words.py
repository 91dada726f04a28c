"""``lossworks next``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .generate import tell_beyond
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --task lm`.")],
    text: Annotated[str, typer.Argument(help="The text so far.")] = "",
    top: Annotated[int, typer.Option("--top", help="How many of the most probable tokens.")] = 10,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What a language model expects next, the most probable first."""
    from ..api import load_language

    model = load_language(run)
    tell_beyond(model, [text], quiet)
    found = model.next(text, top)
    if json:
        print_json({"run": str(run), "text": text, "next": [{"token": token, "probability": p} for token, p in found]})
        return
    best = max(found[0][1], 1e-300)
    for token, p in found:
        print(f"{p:9.5f}  {'█' * round(24 * p / best):24}  {token!r}")
