"""The command itself: its verbs, and how errors end it."""

from __future__ import annotations

import json
import os
import sys

import typer

from .. import __version__
from ..core.errors import LossworksError
from . import evaluate, fit, listing, predict, report

app = typer.Typer(
    name="lossworks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and understand text classifiers by their loss: raw labelled text in, an honest model out.",
)
app.command("fit")(fit.command)
app.command("predict")(predict.command)
app.command("evaluate")(evaluate.command)
app.command("report")(report.command)
app.command("list")(listing.command)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command. Exit codes: 0 fine, 2 usage or data, 3 diverged, 4 out of memory, 130 interrupted."""
    try:
        app()
    except LossworksError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted before training began; nothing was written.", 130)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _end(message: str, code: int) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False))
    print(f"lossworks: {message}", file=sys.stderr)
    sys.exit(code)
