"""Checks the shapes that the package's signatures state, in every call that the tests make.

The annotations are jaxtyping's, imported for type checkers alone, so nothing evaluates them by itself. An import hook wraps each
function of the package that has one. What a call was given and what it returned are checked together when it returns, an axis'
name standing for one length; a call that raises has refused its arguments itself.
"""

from __future__ import annotations

import builtins
import functools
import importlib.abc
import importlib.machinery
import inspect
import itertools
import re
import sys
import types
import typing
from collections import ChainMap
from collections.abc import Callable, Sequence
from typing import Any

import jaxtyping
import torch
from torch import Tensor

EVERY = 500
"""Calls of a function that are all checked; of those that follow, one in sixteen is."""
KINDS = {name: getattr(jaxtyping, name) for name in ("Bool", "Float", "Int", "Shaped")}
_HAS_SHAPE = re.compile(rf"\b({'|'.join(KINDS)})\[")
_WORLD = {**KINDS, "Tensor": Tensor}  # which modules may import for type checkers alone


def install(package: str) -> None:
    """Check the shapes of ``package``, which must not have been imported."""
    assert package not in sys.modules
    sys.meta_path.insert(0, _Finder(package))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != self._package:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: types.ModuleType) -> None:
        super().exec_module(module)
        wrap_all(module)


def wrap_all(module: types.ModuleType) -> None:
    """Wrap every function of the module, and of its classes, whose annotations state a shape."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type):
            for attribute, method in list(vars(value).items()):
                if (checked := _wrapped(method)) is not method:
                    setattr(value, attribute, checked)
        elif (checked := _wrapped(value)) is not value:
            setattr(module, name, checked)


def _wrapped(value: Any) -> Any:
    """A function with its calls checked; what holds a function, with that one wrapped; anything else as it is."""
    if isinstance(value, staticmethod | classmethod):
        inner = _wrapped(value.__func__)
        return value if inner is value.__func__ else type(value)(inner)
    if isinstance(value, property):
        inner = _wrapped(value.fget)
        return value if inner is value.fget else property(inner, value.fset, value.fdel, value.__doc__)
    if isinstance(value, functools.cached_property):
        value.func = _wrapped(value.func)
        return value
    if isinstance(value, types.FunctionType) and any(_states_shape(hint) for hint in value.__annotations__.values()):
        return checked(value)
    return value


def _states_shape(hint: Any) -> bool:
    return isinstance(hint, str) and bool(_HAS_SHAPE.search(hint))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose calls raise AssertionError where the shapes are not those that its signature states."""
    signature = inspect.signature(function)
    world = ChainMap(_WORLD, inspect.unwrap(function).__globals__, vars(builtins))
    stated = {name: hint for name, hint in function.__annotations__.items() if _states_shape(hint)}
    seen: set[Any] = set()  # binding arguments and checking them is slow, and most calls are like one before
    number = itertools.count()

    @functools.cache
    def hints() -> dict[str, Any]:  # when it is first called: then every name that stands in them is there
        from lossworks.scores import Scores  # which losses import for type checkers alone

        return {name: eval(hint, {}, world.new_child({"Scores": Scores})) for name, hint in stated.items()}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if torch.compiler.is_compiling() or ((at := next(number)) > EVERY and at % 16):
            return result
        like = _like(args), _like(tuple(kwargs.values())), tuple(kwargs), _like(result)
        if like not in seen:
            given = {**signature.bind(*args, **kwargs).arguments, "return": result}
            with jaxtyping.jaxtyped("context"):
                for name, hint in hints().items():
                    assert fits(given.get(name), hint), (
                        f"{function.__module__}.{function.__qualname__} states {name}: {stated[name]}, "
                        f"and had { ({name: _like(given.get(name)) for name in stated}) }"
                    )
            seen.add(like)
        return result

    return call


def _like(value: Any) -> Any:
    """What of a value its check depends on."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    return tuple(map(_like, value)) if isinstance(value, tuple) else type(value)


def fits(value: Any, hint: Any) -> bool:
    """Whether the tensors in ``value`` have the shapes that ``hint`` states; nothing else is looked at."""
    if isinstance(value, Tensor):
        options = typing.get_args(hint) if _is_union(hint) else (hint,)
        return any(isinstance(value, option) for option in options if isinstance(option, type))
    if isinstance(value, tuple) and typing.get_origin(hint) is tuple:
        parts = typing.get_args(hint)
        each = (parts[0],) * len(value) if parts[-1] is ... else parts
        return all(map(fits, value, each))
    return True


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
