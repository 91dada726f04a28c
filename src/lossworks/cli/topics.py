"""``lossworks help``: what is written once, in the package's own words, found by topic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import UnknownName
from .listing import KINDS, members, tell

_SAID = {
    "data": ("data/loading.py", "load"),
    "reading": ("data/options.py", "ReadOptions"),
    "settings": ("training/settings.py", "Settings"),
    "run-directory": ("record/__init__.py", ""),
    "exit-codes": ("core/errors.py", ""),
}
"""Topic → the file whose docstring says it, and the class or function in it."""
TOPICS = (*_SAID, *KINDS)


def command(
    topic: Annotated[str | None, typer.Argument(help="One of those that are listed without it, or a verb.")] = None,
) -> None:
    """What there is to know of a topic: data and how it is read, settings, run directories, exit codes, or a kind of member."""
    from .app import VERBS, app

    if topic is None:
        print("lossworks help TOPIC, where TOPIC is a verb or one of\n")
        for name in TOPICS:
            print(f"  {name:15} {_said(name).partition(chr(10))[0] if name in _SAID else f'all {name}, with keys and sources'}")
    elif topic in KINDS:
        tell({topic: members(topic)})
    elif topic in _SAID:
        print(_said(topic))
    elif topic in VERBS:
        typer.main.get_command(app((topic,)))([topic, "--help"], prog_name="lossworks", standalone_mode=False)
    else:
        raise UnknownName("topic", topic, dict.fromkeys((*TOPICS, *VERBS)))


def _said(topic: str) -> str:
    from ..core import outline

    file, name = _SAID[topic]
    said = outline.docstring(Path(__file__).parents[1] / file, name).replace("``", "")
    return said.partition("\n\nArgs:")[0]  # what follows is for who calls it from Python
