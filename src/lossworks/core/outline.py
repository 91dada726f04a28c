"""What a registry's members say of themselves, read from their source: importing them would import PyTorch, which takes seconds.

Of a member's class it reads what ``Entry`` and ``dataclasses.fields`` tell once it is imported. Classes are followed into other
modules of the package where they are inherited from. What is written in another way than members are is ``Unread``.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import specs

_OUTSIDE = {"ABC", "Generic", "Protocol"}  # bases from elsewhere, which have no fields


class Unread(Exception):
    """The source alone does not say it: import it."""


def members(registry: str, folder: Path) -> list[dict[str, Any]]:
    """The members that files in and below ``folder`` add to the registry of that name, in the order of their names.

    Returns:
        Each one's ``name``, ``summary`` (the docstring's first line), ``keys`` (field → default, as in JSON), ``source``.

    Raises:
        Unread: there is no source, or a member is spelled in a way that needs it run.
    """
    try:
        homes = (path for path in folder.rglob("*.py") if f"@{registry}.add(" in _text(path))
        found = [member for path in homes for member in _added(registry, path)]
    except (OSError, SyntaxError, RecursionError) as error:
        raise Unread(str(error)) from None
    if not found:
        raise Unread(f"no member of {registry} in {folder}")
    return sorted(found, key=lambda member: str(member["name"]))


def _added(registry: str, path: Path) -> Iterator[dict[str, Any]]:
    for cls in _classes(path).values():
        for decorator in cls.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"{registry}.add":
                name, source = (_literal(node) for node in (*decorator.args, *(given.value for given in decorator.keywords)))
                summary = (ast.get_docstring(cls) or "").strip().split("\n", 1)[0]
                if not summary:
                    raise Unread(f"{cls.name} has no docstring")
                keys = {key: _default(node) for key, node in _fields(cls, path).items()}
                yield {"name": name, "summary": summary, "keys": keys, "source": source}


def _fields(cls: ast.ClassDef, path: Path) -> dict[str, ast.expr | None]:
    """The fields of a class and their defaults, in the order of ``dataclasses.fields``: a base's first, each in its place."""
    fields: dict[str, ast.expr | None] = {}
    for base in reversed(cls.bases):
        name = ast.unparse(base).partition("[")[0]
        if name not in _OUTSIDE:
            fields |= _fields(*_found(name, path))
    if any(ast.unparse(decorator).startswith("dataclass") for decorator in cls.decorator_list):
        for line in cls.body:
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                fields[ast.unparse(line.target)] = line.value
    return fields


def _default(node: ast.expr | None) -> Any:
    """A default as JSON holds it; of a type that is made from its spelling, as ``Length("5%")``, the spelling."""
    match node:
        case None:
            raise Unread("a field without a default")
        case ast.Call(func=ast.Name(id=name), args=[spelling], keywords=[]) if name[0].isupper():
            return str(_literal(spelling))
        case _:
            return specs.plain(_literal(node))


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise Unread(f"{ast.unparse(node)} is no literal") from None


def _found(name: str, path: Path) -> tuple[ast.ClassDef, Path]:
    """The class that a module calls ``name``, and the module it is defined in."""
    if name in _classes(path):
        return _classes(path)[name], path
    for line in _module(path).body:
        if isinstance(line, ast.ImportFrom) and line.level and any(alias.name == name for alias in line.names):
            home = path.parents[line.level - 1].joinpath(*(line.module or "").split("."))
            return _found(name, home.with_suffix(".py") if home.with_suffix(".py").exists() else home / "__init__.py")
    raise Unread(f"{path} does not say what {name} is")


def _classes(path: Path) -> dict[str, ast.ClassDef]:
    return {line.name: line for line in _module(path).body if isinstance(line, ast.ClassDef)}


@functools.cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")


@functools.cache
def _module(path: Path) -> ast.Module:
    return ast.parse(_text(path))
