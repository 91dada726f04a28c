"""What a request asks for: its JSON, field by field, checked before it waits for anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from ..api.held import Held, several
from ..core import values
from ..core.errors import UnknownName, UsageError
from .limits import Limits
from .refusals import Refused, naming


def fields(body: bytes, known: Sequence[str]) -> dict[str, Any]:
    """The fields of a request; those that are null are as if they were not there.

    Raises:
        Refused: it is no JSON object, or has a field that is not ``known``.
    """
    try:
        found = msgspec.json.decode(body)
    except RecursionError:
        raise Refused(400, "the request is nested too deeply; wanted a JSON object of plain fields.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, f"the request is not JSON ({error}); wanted an object in UTF-8, its numbers finite.") from None
    if not isinstance(found, dict):
        raise Refused(400, f'the request is {_kind(found)}; wanted an object such as {{"{known[0]}": ["some text"]}}.')
    for name in found:
        if name not in known:
            raise Refused(422, str(UnknownName("field", name[:80], known)), name[:80])
    return {name: value for name, value in found.items() if value is not None}


def texts(given: dict[str, Any], name: str, model: Held, limits: Limits) -> list[str]:
    """A list of texts, in the form that the model reads.

    Raises:
        Refused: it is missing or none, too long, or one of them is no text.
    """
    if name not in given:
        raise Refused(422, f"{name} is missing; wanted a list of texts.", name)
    found = given[name]
    with naming(name):
        if not isinstance(found, list):
            raise UsageError(f"{name} is {_kind(found)}; wanted a list of texts.")
        if len(found) > limits.texts:
            raise UsageError(f"{name} has {len(found):,} texts, and {limits.texts:,} are the most. Send several requests.")
        found = list(several(found, model.record))
        check_length(sum(map(len, found)), limits)
        return found


def strings(given: dict[str, Any], name: str) -> list[str]:
    """A list of strings, as it is; empty where there is none.

    Raises:
        Refused: it is something else.
    """
    found = given.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Refused(422, f"{name} is {_kind(found)}; wanted a list of texts.", name)
    return found


def check_length(characters: int, limits: Limits) -> None:
    """Raise UsageError where texts have too many characters, all together."""
    if characters > limits.characters:
        raise UsageError(
            f"the texts have {characters:,} characters, and {limits.characters:,} are the most. Send several requests, or less."
        )


def numbers(given: dict[str, Any], whole: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    """The fields that are whole numbers, and other numbers.

    Raises:
        Refused: one is something else. Which numbers fit, who takes them says.
    """
    for name in whole:
        with naming(name):
            values.whole(name, given.get(name))
    for name in others:
        with naming(name):
            values.number(name, given.get(name), above=-math.inf)
    return {name: given[name] for name in (*whole, *others) if name in given}


def _kind(value: Any) -> str:
    """A JSON value's kind in words."""
    kinds = {
        dict: "an object",
        list: "a list of other things",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else kinds[type(value)]
