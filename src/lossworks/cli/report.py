"""``lossworks report``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from . import options
from .options import print_json


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories made by `lossworks fit` or `compare`.")],
    against: Annotated[
        Path | None,
        typer.Option(
            help="An earlier run to compare with: what got better or worse on the test rows of both, and which settings differ.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="A comparison's arms as a table: .tex for a paper, .csv, .jsonl or .parquet.", metavar="FILE", show_default=False
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Watch one run as it goes, at an address of this machine, until Ctrl-C.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to serve at.  [default: a free one]", show_default=False)
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write each run's report.html anew from its record; nothing is trained again. Or watch a run that goes on: --serve."""
    if serve:
        if against is not None or table is not None:
            flag = "--table" if against is None else "--against"
            raise UsageError(f"{flag} is for finished runs, and --serve watches one that goes on. Leave one out.")
        _serve(runs, port or 0, json)
        return
    if port is not None:
        raise UsageError("--port is for --serve, which was not given.")
    from ..report import write

    if table is not None:
        _table(runs, table, against, json)
        return
    if against is not None:
        _against(runs, against, json, quiet)
        return
    pages = [str(write(run)) for run in runs]
    if json:
        print_json({"reports": pages})
    elif not quiet:
        print("\n".join(pages))


def _table(runs: list[Path], table: Path, against: Path | None, json: bool) -> None:
    """The arms of one comparison in a file."""
    from ..api.comparison import Comparison

    if len(runs) != 1 or against is not None:
        raise UsageError("--table is of one comparison. Name it alone, without --against.")
    Comparison.load(runs[0]).write(table)
    if json:
        print_json({"table": str(table)})
    else:
        print(table)


def _against(runs: list[Path], before: Path, json: bool, quiet: bool) -> None:
    """Each run held against the one before, in its report and here."""
    from ..api.against import against
    from ..report import write
    from .paired import tell_against

    found = [against(run, before) for run in runs]
    pages = [str(write(run, against=one)) for run, one in zip(runs, found, strict=True)]
    if json:
        print_json({"reports": pages, "against": found})
    elif not quiet:
        for one, page in zip(found, pages, strict=True):
            tell_against(one)
            print(page)


def _serve(runs: list[Path], port: int, json: bool) -> None:
    from ..report.serving import Server, serve

    if len(runs) != 1:
        raise UsageError(f"--serve shows one run; got {len(runs)}. Start one for each.")
    server = Server(runs[0], port)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)  # even where the shell has it ignored, as for what is begun with &
    if json:
        print_json({"address": server.address})
        sys.stdout.flush()
    else:
        print(f"{server.address}   (Ctrl-C ends it)", flush=True)
    serve(server)


def _stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt
