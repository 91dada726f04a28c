"""Plain values of flags, read here: Typer reads all with Pydantic, which takes longer to import than some commands run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer


def spare(command: Any, parent: Any = None) -> None:
    """Have the parameters of a command, and of those below it, read by Typer only where there is something to check."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for parameter in command.get_params(context):
        if getattr(parameter, "_runtime_param", parameter) is None:  # in versions of Typer that read with Pydantic
            parameter._runtime_param = _Plain(parameter)
    for below in getattr(command, "commands", {}).values():
        spare(below, context)


class _Plain:
    """Stands in for what reads a parameter's values, until one comes that is not plain."""

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        found = _read(value, param.type_descriptor, param.multiple or param.nargs == -1)
        if found is not _NOT_PLAIN:
            return found
        self._parameter._runtime_param = None
        return self._parameter.get_runtime_param().coerce(value, param=param, ctx=ctx)


_NOT_PLAIN = object()


def _read(value: Any, described: Any, several: bool) -> Any:
    """What Typer makes of the value; ``_NOT_PLAIN``: that is for Typer to say."""
    kind, about = described.annotation, described.parameter_info
    if value is None:
        return () if several else None
    if about.parser is not None or described.is_choice or described.is_ranged or described.is_file:
        return _NOT_PLAIN
    if several:
        return list(value) if kind == list[str] and all(type(each) is str for each in value) else _NOT_PLAIN
    if type(value) is kind:
        return value
    if kind is Path and type(value) is str and about.file_okay and about.dir_okay:
        unusual = about.exists or about.writable or about.resolve_path or about.allow_dash or about.path_type
        usable = os.access(value, os.R_OK) or not os.path.lexists(value)
        return Path(value) if usable and not unusual else _NOT_PLAIN
    digits = type(value) is str and value.isascii() and (value.replace(".", "", 1) if kind is float else value).isdecimal()
    return kind(value) if kind in (int, float) and digits else _NOT_PLAIN
