"""``lossworks list``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..core.errors import UnknownName
from . import options
from .options import print_json

_KINDS = {name: (name, name) for name in ("losses", "models", "optimizers", "penalties", "risks", "balances", "schedules")} | {
    "optimizers": ("optim", "optimizers"),
    "rules": ("preparation/rules", "registry"),
}
"""Kind → the folder of its members, and what their registry is called there."""


def command(
    kind: Annotated[str | None, typer.Argument(help=f"{', '.join(_KINDS)}; all without it.")] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """What there is to choose from, with its keys and where it comes from."""
    if kind is not None and kind not in _KINDS:
        raise UnknownName("list", kind, _KINDS)
    listed = {name: _members(name) for name in ([kind] if kind else _KINDS)}
    if json:
        print_json(listed)
        return
    for name, members in listed.items():
        print(name)
        for member in members:
            keys = ", ".join(f"{key}={value}" for key, value in member["keys"].items())
            print(f"  {member['name']:18}{member['summary']}")
            print(f"  {'':18}{keys or 'no parameters'}   [{member['source']}]")


def _members(kind: str) -> list[dict[str, Any]]:
    from pathlib import Path

    from ..core import outline

    folder, registry = _KINDS[kind]
    try:
        return outline.members(registry, Path(__file__).parents[1] / folder)
    except outline.Unread:
        return _imported(kind)


def _imported(kind: str) -> list[dict[str, Any]]:
    """What ``outline.members`` reads, of the members themselves."""
    import dataclasses
    import importlib

    from ..core import specs

    folder, name = _KINDS[kind]
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
