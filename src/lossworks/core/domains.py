"""The fields of a spec, checked by their names: the same domain gets the same words in every family."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .errors import UsageError


def positive(spec: object, *names: str) -> None:
    """Raise UsageError where a field is not a finite number above 0."""
    _check(spec, names, lambda value: 0 < value < math.inf, "a finite number above 0")


def nonnegative(spec: object, *names: str) -> None:
    """Raise UsageError where a field is not a finite number, 0 or more."""
    least(spec, 0, *names)


def least(spec: object, bound: float, *names: str) -> None:
    """Raise UsageError where a field is not a finite number, ``bound`` or more."""
    _check(spec, names, lambda value: bound <= value < math.inf, f"a finite number, {bound} or more")


def fraction(spec: object, *names: str) -> None:
    """Raise UsageError where a field is not in [0, 1]."""
    _check(spec, names, lambda value: 0 <= value <= 1, "0 to 1")


def share(spec: object, *names: str) -> None:
    """Raise UsageError where a field that says what part of something is kept, or dropped, is not in [0, 1)."""
    _check(spec, names, lambda value: 0 <= value < 1, "0 or more, below 1")


def count(spec: object, *names: str) -> None:
    """Raise UsageError where a field that counts something is below 1; one that is None is left to its default."""
    _check(spec, names, lambda value: value is None or value >= 1, "1 or more")


def _check(spec: object, names: Iterable[str], within: Callable[[Any], bool], wanted: str) -> None:
    for name in names:
        value = getattr(spec, name)
        if not within(value):
            raise UsageError(f"{name} is {value}; wanted {wanted}.")
