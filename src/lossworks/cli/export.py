"""``lossworks export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit`.")],
    file: Annotated[Path, typer.Argument(help="The file to write, of hf a folder; ARPA is packed where its name ends in .gz.")],
    to: Annotated[
        str, typer.Option("--to", help="arpa: n-grams, for KenLM, SRILM. hf: a transformer, as Llama. onnx: any network.")
    ] = "arpa",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """A model in the form of other programs; `lossworks import` reads ARPA files and Llama directories back."""
    from ..api import load_text
    from ..interop.exporting import export
    from .progress import Watcher
    from .tables import say_notes

    with Watcher(quiet or json) as watcher:
        said = export(load_text(run), file, to=to, watch=watcher)
    if json:
        print_json({"run": str(run), "file": str(file), "format": to, "notes": said})
    else:
        say_notes(said)
        print(file)
