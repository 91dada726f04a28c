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
    file: Annotated[Path, typer.Argument(help="An ARPA file of words, of any program; .gz is unpacked.")],
    out: Annotated[Path, typer.Option("--out", help="The run directory to make.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """An n-gram model of another program as a run directory, for score, next, generate and evaluate."""
    from ..train import Control
    from ..verbs import import_arpa
    from .progress import Watcher

    with Watcher(quiet or json) as watcher:
        model = import_arpa(file, out, control=Control(watch=watcher), command=command_line())
    if json:
        print_json({"run": str(out), **model.record})
    else:
        print(f'{out}: {model!r}\nNext:  lossworks score {shlex.quote(str(out))} "some text"')
