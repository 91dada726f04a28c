"""Packages whose names are loaded when they are first used: whoever predicts waits for nothing that trains, compares and draws.

In the ``__init__`` of such a package imports stand under ``if TYPE_CHECKING:``, where type checkers and editors read them, and so
does this module: each name is written once.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


def package(name: str, otherwise: Callable[[str], Any] | None = None) -> None:
    """Have the package ``name`` load what its source imports under ``if TYPE_CHECKING:`` when it is asked for.

    A function that is called as its module is the function, whoever has imported the module. ``otherwise`` finds other names, or
    raises AttributeError.

    Raises:
        ImportError: its source is not there to be read.
    """
    module = sys.modules[name]
    source = getattr(module.__loader__, "get_source", lambda _: None)(name)
    if source is None:
        raise ImportError(f"{name} has no source, from which it learns what it exports", name=name)
    module.__dict__["_homes"] = {own: home for own, *home in _imports(ast.parse(source), name)}
    module.__dict__["_otherwise"] = otherwise
    module.__class__ = _Package


class Later:
    """A module that is imported when something of it is asked for: ``torch = Later("torch")``; type checkers see the import."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.__dict__[name] = getattr(importlib.import_module(self._name), name)
        return value


class _Package(ModuleType):
    _homes: dict[str, tuple[str, str | None]]
    _otherwise: Callable[[str], Any] | None

    def __getattr__(self, name: str) -> Any:
        if name not in self._homes:
            if self._otherwise is not None and not name.startswith("__"):
                return self._otherwise(name)
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        home, inside = self._homes[name]
        with _uncollected():
            found = importlib.import_module(home)
        self.__dict__[name] = value = found if inside is None else getattr(found, inside)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        home, inside = self._homes.get(name, ("", None))
        if inside is not None and isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            value = getattr(importlib.import_module(home), inside)  # the import of a submodule that is called as its function
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})


@contextmanager
def _uncollected() -> Iterator[None]:
    """What is made while modules are imported stays: to look for garbage among it again and again takes a tenth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _imports(tree: ast.Module, name: str) -> Iterator[tuple[str, str, str | None]]:
    """Each name that is imported for type checkers, the module it is from, and what it is called there; None: it is a module."""
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for line in block.body:
                if isinstance(line, ast.ImportFrom) and line.level:
                    home = importlib.util.resolve_name("." * line.level + (line.module or ""), name)
                    for alias in line.names:
                        own = alias.asname or alias.name
                        yield (own, home, alias.name) if line.module else (own, f"{home}.{alias.name}", None)
