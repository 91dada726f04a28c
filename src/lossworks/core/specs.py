"""Specs: the one spelling ``name:key=value,key=value`` of a configured thing.

The fields of a frozen dataclass are its keys, so the Python API, the command, the run record and the
documentation share one list of hyperparameters, with one set of types and defaults. A class may name a key ``leading``,
which then stands first and without its name: ``hf:PATH,lora=8``.
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from .errors import DataError, UnknownName, UsageError

T = TypeVar("T")


def read(cls: type[T], spec: str, what: str) -> T:
    """The instance of the dataclass ``cls`` that ``spec`` spells, its name included."""
    return configure(cls, _pairs(spec, getattr(cls, "leading", None)), what)


def written(name: str, thing: Any, *, whole: bool = False) -> str:
    """The spec of ``thing``, with only the fields that differ from their defaults; ``whole``: with all of them."""
    leading = getattr(thing, "leading", None)
    keys = [
        ("" if f.name == leading else f"{f.name}=") + _text(getattr(thing, f.name))
        for f in _fields(type(thing))
        if whole or getattr(thing, f.name) != f.default
    ]
    return name + (":" + ",".join(keys) if keys else "")


def configure(cls: type[T], values: dict[str, Any], what: str) -> T:
    """An instance of the dataclass ``cls`` from keys and values; text is converted to each field's type."""
    hints = _hints(cls)  # type: ignore[arg-type]  # every class is hashable
    known = {f.name for f in _fields(cls)}
    for key in values:
        if key not in known:
            raise (UnknownName(f"key of {what}:", key, known) if known else UsageError(f"{what} takes no keys, got {key!r}"))
    converted = {key: convert(value, hints[key], f"{what}, key {key!r}") for key, value in values.items()}
    try:
        return cls(**converted)
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from None


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def read_toml(path: Path) -> dict[str, Any]:
    """The keys and values that a TOML file spells.

    Raises:
        DataError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not TOML: {error}.") from None
    except RecursionError:
        raise DataError(f"{path} is nested too deeply.") from None


def convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint`` says; text is parsed, tuples are spelled ``1/2/5``."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        if value is None or (value == "none" and len(options) < len(typing.get_args(hint))):
            return None
        return _first_that_fits(value, options, where)
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        parts = value.split("/") if value and isinstance(value, str) else value
        return tuple(convert(part, item, f"{where} (values are parted by /)") for part in parts)
    try:
        if hint is bool and isinstance(value, str):
            return {"true": True, "false": False, "1": True, "0": False}[value.lower()]
        converted = hint(value)
        if hint in (int, bool) and not isinstance(value, str) and converted != value:
            raise ValueError  # 2.5 is no whole number, 5 is neither true nor false
        return converted
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    except (ValueError, KeyError, TypeError, OverflowError):
        raise UsageError(f"{where}: got {value!r}, wanted {getattr(hint, '__name__', hint)}") from None


def _first_that_fits(value: Any, options: list[Any], where: str) -> Any:
    """``value`` as the first of the types that can hold it; what the last of them says where none can."""
    for option in options[:-1]:
        try:
            return convert(value, option, where)
        except UsageError:
            continue
    return convert(value, options[-1], where)


def plain(value: Any) -> Any:
    """A field's value as JSON holds it: tuples as lists, what has a spelling of its own as that."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)


def _pairs(spec: str, leading: str | None) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for number, part in enumerate(filter(None, spec.partition(":")[2].split(","))):
        key, equals, value = part.partition("=")
        if leading and not number and not equals:
            key, equals, value = leading, "=", part
        if not equals:
            raise UsageError(f"spec {spec!r}: got {part!r}, wanted key=value; several values of one key are parted by /")
        if key.strip() in pairs:
            raise UsageError(f"spec {spec!r}: got the key {key.strip()!r} twice. Give it once.")
        pairs[key.strip()] = value.strip()
    return pairs


def _fields(cls: type[Any]) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(cls) if f.init]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
