"""The command itself: its verbs, and how errors end it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer

from .. import __version__
from ..core.errors import LossworksError
from . import (
    compare,
    evaluate,
    explain,
    export,
    fit,
    generate,
    importing,
    landscape,
    listing,
    next_words,
    predict,
    report,
    score,
    show,
)

# The root of what is wrong with a command line, wherever this version of typer keeps it.
_CommandLineError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="lossworks",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, compare and understand text classifiers and language models by their loss: raw text in, an honest model out.",
)
app.command("fit")(fit.command)
app.command("compare")(compare.command)
app.command("predict")(predict.command)
app.command("evaluate")(evaluate.command)
app.command("score")(score.command)
app.command("next")(next_words.command)
app.command("generate")(generate.command)
app.command("explain")(explain.command)
app.command("export")(export.command)
app.command("import")(importing.command)
app.command("report")(report.command)
app.command("landscape")(landscape.command)
app.command("list")(listing.command)
app.command("show")(show.command)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command. Exit codes: 0 fine, 2 usage or data, 3 diverged, 4 out of memory, 130 interrupted."""
    try:
        if app(standalone_mode=False) == 130:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        sys.stdout.flush()
    except _CommandLineError as error:
        error.show()
        _end("", error.exit_code, error.format_message())
    except LossworksError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("stopped at once. A classifier whose training had begun goes on with --resume.", 130)
    except BrokenPipeError:  # the reader of our output has left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _end(said: str, code: int, message: str = "") -> None:
    """Leave with ``code``: say why to people, and with ``--json`` to programs."""
    if "--json" in sys.argv:
        print(json.dumps({"error": message or said, "exit_code": code}, ensure_ascii=False))
    if said:
        print(f"lossworks: {said}", file=sys.stderr)
    sys.exit(code)
