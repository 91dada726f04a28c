"""``lossworks list``."""

from __future__ import annotations

import shutil
import textwrap
from typing import Annotated, Any

import typer

from ..core.errors import UnknownName
from . import options
from .options import print_json

KINDS = {name: (name, name) for name in ("losses", "models", "optimizers", "penalties", "risks", "balances", "schedules")} | {
    "optimizers": ("optim", "optimizers"),
    "tokenizers": ("tokens", "tokenizers"),
    "rules": ("preparation/rules", "registry"),
}
"""Kind → the folder of its members, and what their registry is called there."""
_PIPED = 1000  # columns where there is no screen
_NARROW = 100  # columns below which names stand on lines of their own


def command(
    kind: Annotated[str | None, typer.Argument(help=f"{', '.join(KINDS)}; all without it.")] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What there is to choose from, with its keys and where it comes from."""
    if kind is not None and kind not in KINDS:
        raise UnknownName("list", kind, KINDS)
    listed = {name: members(name) for name in ([kind] if kind else KINDS)}
    if json:
        print_json(listed)
    else:
        tell(listed)


def tell(listed: dict[str, list[dict[str, Any]]]) -> None:
    """Print the members of some kinds, as wide as the screen."""
    width = shutil.get_terminal_size((_PIPED, 24)).columns
    for name, members in listed.items():
        print(name)
        for member in members:
            print(_told(member, max(len(each["name"]) for each in members) + 4, width))


def _told(member: dict[str, Any], indent: int, width: int) -> str:
    """A member's name, and beside it what it is; below it where the screen is too narrow for that."""
    keys = ", ".join(f"{key}={value}" for key, value in member["keys"].items())
    head = f"  {member['name']:{indent - 2}}"
    if width < _NARROW:
        head, indent = f"  {member['name']}\n    ", 4
    lines = [member["summary"], f"{keys or 'no parameters'}   [{member['source']}]"]
    broken = [part for line in lines for part in textwrap.wrap(line, max(20, width - indent), break_on_hyphens=False)]
    return head + f"\n{' ' * indent}".join(broken)


def members(kind: str) -> list[dict[str, Any]]:
    """What ``outline.members`` says of a kind's members; they are imported where their source does not say it."""
    from pathlib import Path

    from ..core import outline

    folder, registry = KINDS[kind]
    try:
        return outline.members(registry, Path(__file__).parents[1] / folder)
    except outline.Unread:
        return _imported(kind)


def _imported(kind: str) -> list[dict[str, Any]]:
    """What ``outline.members`` reads, of the members themselves."""
    import dataclasses
    import importlib

    from ..core import specs

    folder, name = KINDS[kind]
    registry = getattr(importlib.import_module(f"lossworks.{folder.replace('/', '.')}"), name)
    return [
        {
            "name": entry.name,
            "summary": entry.summary,
            "keys": {f.name: specs.plain(f.default) for f in dataclasses.fields(entry.thing)},
            "source": entry.source,
        }
        for entry in registry
    ]
