"""Values that a user gives, checked in one place: the same wrong value gets the same error through Python, command and record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .errors import UsageError


def whole(name: str, value: Any, *, least: int | None = None, words: Sequence[str] = ()) -> None:
    """Raise UsageError unless ``value`` is None, one of ``words``, or a whole number, ``least`` or more."""
    if value is None or (isinstance(value, str) and value in words):
        return
    if isinstance(value, int) and not isinstance(value, bool) and (least is None or value >= least):
        return
    bound = "" if least is None else f", {least} or more"
    raise UsageError(f"{name} is {value!r}; wanted a whole number{bound}{_or(words)}.")


def number(
    name: str, value: Any, *, above: float = 0.0, below: float = math.inf, inclusive: bool = False, words: Sequence[str] = ()
) -> None:
    """Raise UsageError unless ``value`` is None, one of ``words``, or a finite number above ``above`` and below ``below``.

    inclusive: ``above`` itself is allowed too.
    """
    if value is None or (isinstance(value, str) and value in words):
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        over = value >= above if inclusive else value > above
        if over and value < below:  # so neither is nan
            return
    bound = "" if above == -math.inf else f" {above:g} or more" if inclusive else f" above {above:g}"
    limit = "" if math.isinf(below) else f" and below {below:g}"
    unit = ", without a unit" if isinstance(value, str) and value[:1].isdigit() else ""
    raise UsageError(f"{name} is {value!r}; wanted a finite number{bound}{limit}{unit}{_or(words)}.")


def text(name: str, value: Any) -> None:
    """Raise UsageError unless ``value`` is None or text that is not empty."""
    if value == "":
        raise UsageError(f"{name} is empty. Name one, or leave it out.")
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name} is {value!r}; wanted text.")


def flag(name: str, value: Any) -> None:
    """Raise UsageError unless ``value`` is None, True or False."""
    if value is not None and not isinstance(value, bool):
        raise UsageError(f"{name} is {value!r}; wanted True or False.")


def parsed(value: str | None) -> Any:
    """What a flag of the command spells: a whole number, a number, or the text itself; who takes it says what is wrong."""
    if value is None:
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _or(words: Sequence[str]) -> str:
    return "".join(f", or {word}" for word in words)
