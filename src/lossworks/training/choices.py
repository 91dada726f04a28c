"""Settings from single choices, from a TOML file or a record, and of one family from what several share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..core import specs
from ..core.errors import UnknownName, UsageError
from ..data.options import ReadOptions
from ..models import LanguageSpec
from ..record.run import RENAMED
from .applicable import ALWAYS, OF_TEXTS, applicable
from .settings import Settings


def chosen(settings: Settings | None, choices: Mapping[str, Any]) -> Settings:
    """``settings`` with single ``choices`` over them.

    Raises:
        UsageError: an unknown name, a value outside its domain, or one that does not apply to the model.
    """
    check_names("fit", choices, "out", "read", "resume", "start", "folds", "log", "settings")
    return replace(settings or Settings(), **choices)


def check_names(verb: str, choices: Iterable[str], *others: str) -> None:
    """Raise UsageError where a choice is no field of ``Settings``; ``others`` are the arguments that ``verb`` takes besides."""
    known = Settings.__dataclass_fields__
    for name in choices:
        if name in ReadOptions.__dataclass_fields__:
            raise UsageError(f"{name} is a choice about reading. Give it as read=lossworks.ReadOptions({name}=…).")
        if name not in known:
            raise UnknownName(f"argument of {verb}:", name, [*known, *others])


def toml(path: Path, over: Mapping[str, Any]) -> Settings:
    """The settings that a TOML file spells, those in ``over`` instead of its own.

    Raises:
        DataError: no such file, or not TOML.
        UsageError: an unknown key or a value that does not fit.
    """
    return from_values({**specs.read_toml(path), **over}, f"configuration {path}")


def from_values(told: Mapping[str, Any], what: str) -> Settings:
    """Settings from keys and values; those of before this version's names are understood.

    Raises:
        UsageError: an unknown key or a value that does not fit; ``what`` is what it was read from.
    """
    known = {field.name for field in fields(Settings)}
    told = renamed(told)
    for key in told:
        if key not in known:
            raise UnknownName(f"key of {what}:", key, known)
    try:
        return Settings(**told)
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from None


def renamed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Keys and values, the keys as this version spells them."""
    return {RENAMED.get(key, key): value for key, value in told.items()}


def for_family(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Settings:
    """Settings of ``own`` choices and of those ``shared`` by several families, as far as they apply to this one."""
    both = {**shared, **own}
    bare = Settings(**{name: both[name] for name in ("task", "model") if both.get(name) is not None})
    spec = bare.spec
    if isinstance(spec, LanguageSpec) and not spec.by_gradients and not both.get("loss") and not both.get("optimizer"):
        applies: tuple[str, ...] = (*ALWAYS, *OF_TEXTS)
        both = {name: value for name, value in both.items() if name != "device" or name in own}
    else:
        applies = (*ALWAYS, *applicable(spec))
    return Settings(**{name: value for name, value in both.items() if name in own or name in applies})
