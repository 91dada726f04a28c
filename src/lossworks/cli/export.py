"""``lossworks export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit --model ngram`.")],
    file: Annotated[Path, typer.Argument(help="The file to write; packed where its name ends in .gz.")],
    to: Annotated[str, typer.Option("--to", help="arpa: n-grams as KenLM and SRILM read them.")] = "arpa",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """A model of language as a file for other programs; `lossworks import` reads it back."""
    from ..verbs import export, load_language
    from .progress import Watcher

    with Watcher(quiet or json) as watcher:
        export(load_language(run), file, to=to, watch=watcher)
    if json:
        print_json({"run": str(run), "file": str(file), "format": to})
    else:
        print(file)
