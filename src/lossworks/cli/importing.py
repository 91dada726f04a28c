"""``lossworks import``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json
from .running import command_line


def command(
    file: Annotated[Path, typer.Argument(help="An ARPA file of words, .gz or not; or a Llama directory of Hugging Face's.")],
    out: Annotated[Path, typer.Option("--out", help="The run directory to make.")],
    encoding: options.Encoding = "utf-8",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """A model of another program as a run directory, for score, next, generate and evaluate."""
    from ..engine import Callbacks
    from ..interop.importing import import_model
    from .progress import Watcher

    with Watcher(quiet or json) as watcher:
        model = import_model(file, out, encoding=encoding, callbacks=Callbacks(watch=watcher), command=command_line())
    if json:
        print_json({"run": str(out), **model.record})
    else:
        print(f'{out}: {model!r}\nNext:  lossworks score {shlex.quote(str(out))} "some text"')
