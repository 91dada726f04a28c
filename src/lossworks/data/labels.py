"""Labels: cleaned once per distinct label, then shared by all rows that carry it."""

from __future__ import annotations

from numbers import Real
from typing import Any

from .options import Label

MOST_SHARED = 100_000
"""Beyond so many distinct labels they are hardly classes, and remembering more of them would only cost memory."""


class RowFault(Exception):
    """What is wrong with a row. Never leaves this room: the row's place is added to it."""


class LabelBook:
    """The labels met so far, each under the spellings it was met in."""

    def __init__(self, *, optional: bool = False) -> None:
        self._optional = optional
        self._known: dict[str, Label] = {}

    def intern(self, raw: list[Any]) -> list[Label | None]:
        """Clean labels for raw ones (text, numbers, booleans, lists of labels, None).

        Raises:
            RowFault: one is missing and must not be, or cannot be a label.
        """
        kinds = set(map(type, raw))
        if kinds == {str}:
            labels: list[Label | None] = list(map(self._known.get, raw))
            if None in labels:
                for value in set(raw) - self._known.keys():
                    self._one(value)
                labels = list(map(self._known.get, raw))
            if None not in labels:
                return labels
        elif kinds == {float}:
            return raw
        return [self._one(value) for value in raw]

    def _one(self, value: Any) -> Label | None:
        if isinstance(value, str):
            label: Label | None = self._known.get(value) or clean_text(value)
            if label is not None and len(self._known) < MOST_SHARED:
                label = self._known.setdefault(value, self._known.get(str(label), label))
        else:
            label = _clean_other(value)
        if label is None and not self._optional:
            raise RowFault("the label is missing")
        return label


def clean_text(value: str) -> str | None:
    """A text label without the space around it; None if nothing is left."""
    label = value.strip()
    if "\0" in label:
        raise RowFault("the label holds a NUL byte")
    try:
        label.encode()
    except UnicodeEncodeError as error:
        raise RowFault(f"the label holds a lone surrogate, U+{ord(error.object[error.start]):04X}") from None
    return label or None


def spelled(label: Label | None) -> str:
    """A label as text. A whole number has no point, so that 1 is the same class in JSON and in CSV."""
    if label is None:
        return ""
    if isinstance(label, tuple):
        return ",".join(label)
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(label)
    return label


def described(value: Any) -> str:
    """A value that is not what was wanted, in words and short."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Real):
        return f"the number {value}"
    names: dict[type, str] = {dict: "an object", list: "a list", tuple: "a tuple", bytes: "bytes"}
    return names.get(type(value), type(value).__name__)


def _clean_other(value: Any) -> Label | None:
    if value is None:
        return None
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        return str(bool(value)).lower()
    if isinstance(value, Real):
        try:
            return float(value)
        except OverflowError:
            raise RowFault("the label is a number too large to hold") from None
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted({_element(item) for item in value}))
    raise RowFault(f"the label is {described(value)}; wanted text, a number, or a list of labels")


def _element(item: Any) -> str:
    label = clean_text(item) if isinstance(item, str) else _clean_other(item)
    if label is None or isinstance(label, tuple):
        raise RowFault(f"the list of labels holds {'an empty label' if label is None else 'a list'}")
    return spelled(label)
