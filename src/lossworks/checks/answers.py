"""The answers of a hand check, as the page gives them to be kept in a file, and whether they belong to this check."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import DataError, UsageError
from .hand_check import ANSWERS, Design

KIND = "lossworks hand check of labels"
_PARTS = {"check": dict, "answers": list}


def read(source: Path | str | Mapping[str, Any]) -> dict[str, Any]:
    """The object in a file of answers, or one at hand.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    name = "checked" if isinstance(source, Mapping) else str(source)
    try:
        found = source if isinstance(source, Mapping) else json.loads(Path(source).read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"there is no file {name}. Open the page, answer, and download the answers.") from None
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is damaged ({error}). Download the answers from the page again.") from None
    fields = dict(found) if isinstance(found, Mapping) else {}
    if fields.get("kind") != KIND or not all(isinstance(fields.get(key), kind) for key, kind in _PARTS.items()):
        raise DataError(f"{name} holds no answers of a hand check of labels. Download them from the page again.")
    return fields


def matched(found: dict[str, Any], check: Mapping[str, Any], design: Design) -> list[str]:
    """The answers, in the order of the design's places.

    Args:
        found: what ``read`` gave.
        check: what this check is: the data's fingerprint, the models, folds, seed and sample.
        design: of this check.

    Raises:
        UsageError: they were given for other data, or for another check of it.
        DataError: what is answered is not what was asked.
    """
    theirs = found["check"]
    if theirs.get("data") != check["data"]:
        raise UsageError(
            f"the answers are for other data ({theirs.get('rows')} rows of {theirs.get('source')}). Give the data as it was "
            "when the page was made: corrected labels belong into another file."
        )
    for name, own in check.items():
        if name != "source" and theirs.get(name) != own:
            raise UsageError(
                f"the answers are for another check: {name} was {theirs.get(name)!r}, and is {own!r}. Give the same flags "
                "as for the page, or answer a new page."
            )
    places = (design.places() + 1).tolist()
    asked = [row.get("place") if isinstance(row, dict) else None for row in found["answers"]]
    if asked != places[: len(asked)]:
        raise DataError("the answers are not to the rows that were drawn, in their order. Download them from the page again.")
    said = [row.get("answer") for row in found["answers"]]
    if odd := [answer for answer in said if answer not in ANSWERS]:
        raise DataError(f"an answer is {odd[0]!r}; wanted {', '.join(ANSWERS)}. Download the answers from the page again.")
    return said
