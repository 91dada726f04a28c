"""The command itself: its verbs, and how errors end it."""

from __future__ import annotations

import functools
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import typer

from .. import __version__
from ..core.errors import LossworksError, PeerLost
from . import (
    compare,
    data,
    doctor,
    evaluate,
    explain,
    export,
    fit,
    fuse,
    generate,
    importing,
    landscape,
    languages,
    listing,
    next_words,
    plan,
    predict,
    report,
    score,
    show,
    tokens,
)
from .running import is_first

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
app.command("fuse")(fuse.command)
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
app.command("plan")(plan.command)
app.add_typer(data.app, name="data")
app.add_typer(languages.app, name="languages")
app.add_typer(tokens.app, name="tokens")
app.command("list")(listing.command)
app.command("show")(show.command)
app.command("doctor")(doctor.command)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command. Exit codes: 0 fine, 2 usage or data, 3 diverged, 4 out of memory, 5 a process lost, 130 interrupted."""
    _open_streams()
    try:
        if _command()(standalone_mode=False) == 130:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        sys.stdout.flush()
    except _CommandLineError as error:
        error.show()
        _end("", error.exit_code, error.format_message())
    except LossworksError as error:
        speaks = error.speaks if isinstance(error, PeerLost) else is_first()
        _end(str(error), error.exit_code, silent=not speaks)
    except KeyboardInterrupt:
        said = "stopped at once. The same command with --resume goes on with a run that had begun."
        _end(said, 130, silent=not is_first())
    except OSError as error:
        _end_writing(error)
    except SystemExit as ended:  # typer makes one of a broken pipe
        if not isinstance(ended.__context__, OSError):
            raise
        _end_writing(ended.__context__)


@functools.cache  # reading every verb's signature takes a while
def _command() -> Any:
    return typer.main.get_command(app)


def _open_streams() -> None:
    """Closed streams swallow what is written to them, and characters that a stream's encoding lacks are spelled out."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_writing(error: OSError) -> None:
    """Exit where stdout takes no more: as if all were well where its reader has left, as ``head`` does; else saying why."""
    if error.filename is not None:
        _end(f"{error.filename}: {error.strerror}.", 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    if isinstance(error, BrokenPipeError):
        sys.exit(0)
    print(f"lossworks: cannot write to stdout: {error.strerror or error}.", file=sys.stderr)
    sys.exit(2)


def _end(said: str, code: int, message: str = "", *, silent: bool = False) -> None:
    """Exit with ``code``: say why to people, and with ``--json`` to programs; ``silent``: another process says it."""
    if silent:
        sys.exit(code)
    if "--json" in sys.argv:
        print(json.dumps({"error": message or said, "exit_code": code}, ensure_ascii=False))
    if said:
        print(f"lossworks: {said}", file=sys.stderr)
    sys.exit(code)
