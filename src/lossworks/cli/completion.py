"""What the shell offers where a flag or an argument takes a name: the names there are, read from sources, importing nothing slow.

A shell starts the command anew at each Tab, with the line so far in the environment, as typer's scripts have it.
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import outline
from .listing import KINDS, members
from .topics import TOPICS

_PACKAGE = Path(__file__).parents[1]
_FIRST = """
if [[ $funcstack[1] == _%(prog_name)s ]]; then
  %(complete_func)s "$@"
fi
"""
_DEEP = 2  # folders between here and a run


@dataclass(frozen=True)
class _Offer:
    """One completion, as typer's classes for shells read it; without a help, for which they would import Rich."""

    value: str
    help: None = None
    type: str = "plain"


def typed() -> list[str]:
    """The words of the command line so far."""
    return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()


def _members(kind: str) -> Callable[[str], Iterator[_Offer]]:
    """Names of a kind, and after a name and a colon its keys."""

    def offers(begun: str) -> Iterator[_Offer]:
        folder, registry = KINDS[kind]
        name, colon, keys = begun.partition(":")
        if not colon:
            return map(_Offer, outline.names(registry, _PACKAGE / folder))
        written = keys[: keys.rfind(",") + 1]
        named = [member["keys"] for member in members(kind) if member["name"] == name]
        return (_Offer(f"{name}:{written}{key}=") for inner in named for key in inner)

    return offers


def _constant(file: str, name: str) -> Callable[[str], Iterator[_Offer]]:
    """The strings of a constant of a module."""
    return lambda begun: map(_Offer, outline.strings(name, _PACKAGE / file))


def _runs(begun: str) -> Iterator[_Offer]:
    for depth in range(_DEEP):
        for record in glob.iglob(glob.escape(begun) + "*/" * (depth + 1) + "run.json"):
            yield _Offer(os.path.dirname(record))


def _shown(begun: str) -> Iterator[_Offer]:
    """Members of every kind that is shown with its curve."""
    for kind in ("losses", "optimizers", "penalties", "risks", "schedules"):
        yield from _members(kind)(begun)


_VALUES: dict[str, Callable[[str], Iterator[_Offer]]] = {
    "--bad-rows": _constant("data/options.py", "POLICIES"),
    "--balance": _members("balances"),
    "--by": _constant("attribution/parts.py", "BY"),
    "--document-unit": _constant("data/options.py", "UNITS"),
    "--format": _constant("data/options.py", "FORMATS"),
    "--loss": _members("losses"),
    "--metric": _constant("metrics/rows.py", "METRICS"),
    "--stop-by": _constant("metrics/rows.py", "METRICS"),
    "--model": _members("models"),
    "--normalize": _constant("data/options.py", "FORMS"),
    "--optimizer": _members("optimizers"),
    "--penalty": _members("penalties"),
    "--risk": _members("risks"),
    "--rule": _members("rules"),
    "--schedule": _members("schedules"),
    "--task": _constant("tasks/__init__.py", "TASKS"),
    "--to": _constant("interop/exporting.py", "FORMATS"),
    "--tokenizer": _members("tokenizers"),
    "kind": lambda begun: map(_Offer, KINDS),
    "name": _shown,
    "run": _runs,
    "runs": _runs,
    "sources": _runs,
    "topic": lambda begun: map(_Offer, TOPICS),
}
"""A flag or an argument, of whatever verb → what it may be."""


def teach(command: Any) -> None:
    """Have a command, and all within it, offer values."""
    for inner in getattr(command, "commands", {}).values():
        teach(inner)
    for parameter in command.params:
        if values := _VALUES.get(parameter.opts[0]):
            parameter.shell_complete = functools.partial(_begun, values)


def _begun(values: Callable[[str], Iterator[_Offer]], context: Any, begun: str) -> list[_Offer]:
    try:
        return sorted({offer for offer in values(begun) if offer.value.startswith(begun)}, key=lambda offer: offer.value)
    except outline.Unread:  # there is no source: no help is better than a wait
        return []


def complete_at_once() -> None:
    """Have typer's script for zsh complete when it is first called too, by which zsh but loads it."""
    from typer import _completion_shared

    _completion_shared._completion_scripts["zsh"] += _FIRST
