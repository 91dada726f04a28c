"""``lossworks doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import print_json


def command(
    out: Annotated[Path, typer.Option("--out", help="Folder that runs are to be written to.")] = Path(),
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What this machine offers, what is slow and why, and what to do about it."""
    from dataclasses import asdict

    from ..api.doctor import doctor
    from .tables import console
    from .visible import in_line

    findings = doctor(out)
    if json:
        print_json({"findings": [asdict(each) for each in findings]})
        return
    screen, width = console(), max(len(each.name) for each in findings)
    for each in findings:
        if each.advice or not quiet:
            screen.print(in_line(f"{each.name:{width}}  {each.found}"))
        if each.advice:
            screen.print(f"{'':{width}}  → {each.advice}", style="yellow")
