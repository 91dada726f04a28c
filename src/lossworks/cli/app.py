"""The command itself: its verbs, and how errors end it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from .. import __version__
from ..core.errors import LossworksError, PeerLost, UnknownName
from .coercion import spare
from .headings import under_headings
from .running import is_first

# The root of what is wrong with a command line, wherever this version of typer keeps it.
_CommandLineError: Any = typer.BadParameter.__mro__[2]

_ABOUT = "Train, compare and understand text classifiers and language models by their loss: raw text in, an honest model out."
VERBS = {
    "fit": "fit",
    "compare": "compare",
    "fuse": "fuse",
    "predict": "predict",
    "evaluate": "evaluate",
    "score": "score",
    "next": "next_words",
    "generate": "generate",
    "explain": "explain",
    "export": "export",
    "import": "importing",
    "serve": "serve",
    "report": "report",
    "landscape": "landscape",
    "plan": "plan",
    "list": "listing",
    "show": "show",
    "help": "topics",
    "doctor": "doctor",
    "data": "data",
    "languages": "languages",
    "tokens": "tokens",
}
"""Verb → its module, which has a ``command``, or an ``app`` of several."""
_MEANT = {"train": ["fit"], "finetune": ["fit"], "fine-tune": ["fit"], "test": ["evaluate"], "sample": ["generate"]}
"""What verbs are called elsewhere."""


def app(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command with these ``verbs``: to read every verb's signature takes longer than many a verb itself."""
    made = typer.Typer(
        name="lossworks",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=_ABOUT,
    )
    made.callback(invoke_without_command=True)(_top)
    for verb in verbs:
        module = importlib.import_module(f".{VERBS[verb]}", __package__)
        if hasattr(module, "app"):
            made.add_typer(module.app, name=verb)
        else:
            made.command(verb, cls=under_headings(verb))(module.command)
    return made


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
        _run()
    except KeyboardInterrupt:  # also one that comes while the command ends otherwise
        said = "stopped at once. The same command with --resume goes on with a run that had begun."
        _end(said, 130, silent=not is_first())


def _run() -> None:
    """Run the command, and exit as its errors want."""
    try:
        if _command()(prog_name="lossworks", standalone_mode=False) == 130:  # what typer makes of a KeyboardInterrupt
            raise KeyboardInterrupt
        sys.stdout.flush()
    except _CommandLineError as error:
        from . import elsewhere

        elsewhere.hint(error)
        error.show()
        _end("", error.exit_code, error.format_message())
    except LossworksError as error:
        speaks = error.speaks if isinstance(error, PeerLost) else is_first()
        _end(str(error), error.exit_code, silent=not speaks)
    except Exception as error:
        from ..core import own

        if said := own.raised(error):
            _end(said, 2)
        if not isinstance(error, OSError):
            raise
        _end_writing(error)
    except SystemExit as ended:  # typer makes one of a broken pipe
        if not isinstance(ended.__context__, OSError):
            raise
        _end_writing(ended.__context__)


def _command() -> Any:
    if "_LOSSWORKS_COMPLETE" in os.environ:  # a shell asks what could stand next
        from . import completion

        _, asked, *_ = *completion.typed(), "", ""
        completion.teach(made := _built(asked if asked in VERBS else None))
        return made
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    if asked not in VERBS and asked[:1].isalpha():
        raise UnknownName("verb", asked, VERBS, near=_MEANT.get(asked, ()), where="lossworks --help tells of all verbs.")
    if asked in ("--install-completion", "--show-completion"):
        from . import completion

        completion.complete_at_once()
    return _built(asked if asked in VERBS else None)


@functools.cache
def _built(verb: str | None) -> Any:
    made = typer.main.get_command(app(VERBS if verb is None else (verb,)))
    spare(made)
    return made


def _open_streams() -> None:
    """Closed streams swallow what is written to them, and characters that a stream's encoding lacks are spelled out."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_writing(error: OSError) -> None:
    """Exit where nothing more can be written: as if all were well where stdout's reader has left (``head``), else saying why."""
    from ..record.files import unwritable
    from ..record.scratch import is_full, no_room

    if error.filename is not None:
        _end(str(unwritable(Path(str(error.filename)), error)) if is_full(error) else f"{error.filename}: {error.strerror}.", 2)
    if is_full(error) and not _of_printing(error):
        _end(str(no_room(None, error)), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    if isinstance(error, BrokenPipeError):
        sys.exit(0)
    print(f"lossworks: cannot write to stdout: {error.strerror or error}.", file=sys.stderr)
    sys.exit(2)


def _of_printing(error: OSError) -> bool:
    """Whether an error was raised where the command prints, which nothing else does."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    module = "" if place is None else str(place.tb_frame.f_globals["__name__"])
    return module.startswith((f"{__package__}.", "click", "typer"))


def _end(said: str, code: int, message: str = "", *, silent: bool = False) -> None:
    """Exit with ``code``: say why to people, and with ``--json`` to programs; ``silent``: another process says it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # or Python would print, or the exit code be, that of one more of them
        with contextlib.suppress(ValueError):  # not in the main thread, which alone hears signals
            signal.signal(number, signal.SIG_IGN)
    if silent:
        sys.exit(code)
    if "--json" in sys.argv:
        print(json.dumps({"error": message or said, "exit_code": code}, ensure_ascii=False))
    if said and sys.stderr.isatty():
        from .tables import say

        say(f"lossworks: {said}")
    elif said:
        print(f"lossworks: {said}", file=sys.stderr)
    sys.exit(code)
