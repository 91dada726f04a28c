"""What a registry's members say of themselves, read from their source: importing them would import PyTorch, which takes seconds.

Of a member's class it reads what ``Entry`` and ``dataclasses.fields`` tell once it is imported. Classes are followed into other
modules of the package where they are inherited from. What is written in another way than members are is ``Unread``.
"""

from __future__ import annotations

import ast
import functools
import re
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


def names(registry: str, folder: Path) -> list[str]:
    """The names alone of what ``members`` says, without the time that parsing takes.

    Raises:
        Unread: as of ``members``.
    """
    added = re.compile(rf'^@{registry}\.add\(\s*"(\w+)"', re.M)
    try:
        found = sorted(name for path in folder.rglob("*.py") for name in added.findall(_text(path)))
    except OSError as error:
        raise Unread(str(error)) from None
    if not found:
        raise Unread(f"no member of {registry} in {folder}")
    return found


def strings(name: str, path: Path) -> list[str]:
    """The strings in a constant of a module, each once, in their order; of a dict those of its values.

    Raises:
        Unread: there is no source, or the constant is spelled in a way that needs it run.
    """
    try:
        return [*dict.fromkeys(_strings(ast.Name(name), path))]
    except (OSError, SyntaxError) as error:
        raise Unread(str(error)) from None


def docstring(path: Path, name: str = "") -> str:
    """What a module says of itself, or the class or function in it of that name.

    Raises:
        Unread: there is no source, or nothing is said.
    """
    try:
        named = (line for line in _module(path).body if getattr(line, "name", None) == name)
        said = ast.get_docstring(next(named) if name else _module(path))  # type: ignore[arg-type]
    except (OSError, SyntaxError, StopIteration) as error:
        raise Unread(str(error)) from None
    if not said:
        raise Unread(f"{name or path} has no docstring")
    return said


def _strings(node: ast.AST, path: Path) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name):
            yield from _strings(*_found(name, path))
        case ast.Starred(value=inner):
            yield from _strings(inner, path)
        case ast.Tuple(elts=inner) | ast.Dict(values=inner):
            for each in inner:
                yield from _strings(each, path)
        case _:
            raise Unread(f"{ast.unparse(node)} is no string, nor several")


def _added(registry: str, path: Path) -> Iterator[dict[str, Any]]:
    for cls in (line for line in _module(path).body if isinstance(line, ast.ClassDef)):
        for decorator in cls.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"{registry}.add":
                given = (*decorator.args, *(keyword.value for keyword in decorator.keywords))
                name, source = (_literal(node, path) for node in given)
                summary = (ast.get_docstring(cls) or "").strip().split("\n", 1)[0]
                if not summary:
                    raise Unread(f"{cls.name} has no docstring")
                keys = {key: _default(node, path) for key, node in _fields(cls, path).items()}
                yield {"name": name, "summary": summary, "keys": keys, "source": source}


def _fields(cls: ast.ClassDef, path: Path) -> dict[str, ast.expr | None]:
    """The fields of a class and their defaults, in the order of ``dataclasses.fields``: a base's first, each in its place."""
    fields: dict[str, ast.expr | None] = {}
    for base in reversed(cls.bases):
        name = ast.unparse(base).partition("[")[0]
        if name not in _OUTSIDE:
            found, home = _found(name, path)
            if isinstance(found, ast.ClassDef):
                fields |= _fields(found, home)
    if any(ast.unparse(decorator).startswith("dataclass") for decorator in cls.decorator_list):
        for line in cls.body:
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                fields[ast.unparse(line.target)] = line.value
    return fields


def _default(node: ast.expr | None, path: Path) -> Any:
    """A default as JSON holds it; of a type that is made from its spelling, as ``Length("5%")``, the spelling."""
    match node:
        case None:
            raise Unread("a field without a default")
        case ast.Call(func=ast.Name(id=name), args=[spelling], keywords=[]) if name[0].isupper():
            return str(_literal(spelling, path))
        case _:
            return specs.plain(_literal(node, path))


def _literal(node: ast.AST, path: Path) -> Any:
    """What literals, the constants of modules and their sums come to."""
    match node:
        case ast.Name(id=name):
            return _literal(*_found(name, path))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _literal(left, path) + _literal(right, path)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise Unread(f"{ast.unparse(node)} is no literal") from None


def _found(name: str, path: Path) -> tuple[ast.AST, Path]:
    """What a module calls ``name``, a class or the value of a constant, and the module it is defined in."""
    for line in _lines(_module(path)):
        match line:
            case ast.ClassDef(name=own) if own == name:
                return line, path
            case ast.Assign(targets=[ast.Name(id=own)], value=value) if own == name:
                return value, path
            case ast.ImportFrom(level=level) if level and any(alias.name == name for alias in line.names):
                home = path.parents[level - 1].joinpath(*(line.module or "").split("."))
                return _found(name, home.with_suffix(".py") if home.with_suffix(".py").exists() else home / "__init__.py")
    raise Unread(f"{path} does not say what {name} is")


def _lines(module: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module, those that are for type checkers alone among them."""
    for line in module.body:
        yield from line.body if isinstance(line, ast.If) else [line]


@functools.cache
def _text(path: Path) -> str:
    return path.read_text("utf-8")


@functools.cache
def _module(path: Path) -> ast.Module:
    return ast.parse(_text(path))
