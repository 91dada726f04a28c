"""Labels: cleaned once per distinct label, then shared by all rows that carry it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from .options import Label

MOST_SHARED = 100_000
"""Beyond so many distinct labels they are hardly classes, and remembering more of them would only cost memory."""


SEPARATORS = ("|", ";", ",")
"""What may stand between the labels in one cell; of equally common ones the first is meant."""
LISTS = "list"
"""The separator of cells that each hold a list, such as ``["food", "money"]``."""


class RowFault(Exception):
    """What is wrong with a row. Never leaves this room: the row's place is added to it."""


class LabelBook:
    """The labels met so far, each under the spellings it was met in.

    separator: what parts the labels of a text cell; "auto": to be found among the first that come; None: a cell is one label.
    """

    def __init__(self, *, optional: bool = False, separator: str | None = None) -> None:
        self.separator = separator
        self._optional = optional
        self._known: dict[str, Label] = {}
        self._types: set[str] = set()

    @property
    def label_type(self) -> str:
        """The Python type that the labels were given in: bool, int, float, or str, also where they are of several."""
        if self._types == {"int", "float"}:
            return "float"
        return next(iter(self._types)) if len(self._types) == 1 else "str"

    def look(self, raw: list[Any]) -> None:
        """Find the separator, where it is to be found, in a block of raw labels; a single row would tell too little."""
        if self.separator == "auto" and (cells := [value for value in raw if isinstance(value, str)]):
            self.separator = find_separator(cells)

    def intern(self, raw: list[Any]) -> list[Label | None]:
        """Clean labels for raw ones (text, numbers, booleans, lists of labels, None).

        Raises:
            RowFault: one is missing and must not be, or cannot be a label.
        """
        kinds = set(map(type, raw))
        self._types |= {name for kind in kinds if (name := _type_name(kind))}
        if kinds == {str}:
            labels: list[Label | None] = list(map(self._known.get, raw))
            if None in labels:
                for value in set(raw) - self._known.keys():
                    self._one(value)
                labels = list(map(self._known.get, raw))
            if None not in labels:
                return labels
        elif kinds == {float} or (self._optional and kinds == {type(None)}):
            return raw
        return [self._one(value) for value in raw]

    def _one(self, value: Any) -> Label | None:
        if isinstance(value, list | tuple | set | frozenset):
            self._types |= {name for item in value if (name := _type_name(type(item)))}
        if isinstance(value, str):
            label: Label | None = self._known.get(value)
            if label is None:
                label = clean_text(value) if self.separator is None else _clean_other(parted(value, self.separator))
            if label is not None and len(self._known) < MOST_SHARED:
                label = self._known.setdefault(value, self._known.get(label, label) if isinstance(label, str) else label)
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


def named(value: Any) -> str:
    """The text of one label as a row may hold it: 1, 1.0 and "1" are the class "1"."""
    return value if isinstance(value, str) else spelled(_clean_other(value))


def original(name: str, label_type: str) -> Any:
    """A label's text as the type that labels were given in."""
    return name == "true" if label_type == "bool" else {"int": int, "float": float}.get(label_type, str)(name)


def find_separator(cells: Iterable[str]) -> str:
    """What stands between labels in the most of ``cells``; ``LISTS`` where most that are not blank hold a list."""
    cells = list(filter(str.strip, cells))
    if 2 * sum(_as_list(cell) is not None for cell in cells) > len(cells):
        return LISTS
    return max(SEPARATORS, key=lambda mark: sum(mark in cell for cell in cells))


def joined(labels: Iterable[Label | None]) -> tuple[str, str] | None:
    """A label that looks like several in one, and what stands between them: a part of it is found elsewhere among the labels."""
    names = {label for label in labels if isinstance(label, str)}
    for mark in SEPARATORS:
        several = sorted(name for name in names if mark in name)
        uses = Counter(part.strip() for name in names for part in set(name.split(mark)))
        if found := next((name for name in several if any(uses[part.strip()] > 1 for part in name.split(mark))), None):
            return found, mark
    return None


def parted(cell: str, separator: str) -> list[Any]:
    """The labels in a cell; none in an empty one.

    Raises:
        RowFault: it is no list where it should be one.
    """
    if separator != LISTS:
        return list(filter(str.strip, cell.split(separator)))
    labels = _as_list(cell)
    if labels is None and cell.strip():
        raise RowFault(f"the labels are {described(cell)}; wanted a list, such as ['food', 'money']")
    return labels or []


def _as_list(cell: str) -> list[Any] | None:
    """The list that a cell spells, as Python or JSON writes one of text or numbers."""
    if not (cell.strip().startswith("[") and cell.strip().endswith("]")):
        return None
    try:
        return list(ast.literal_eval(cell.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


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
    if isinstance(value, Integral) and abs(int(value)) > 1 << 53:  # an id so long would be another one as a float
        return str(int(value))
    if isinstance(value, Real | Decimal):
        try:
            return float(value)
        except OverflowError:
            raise RowFault("the label is a number too large to hold") from None
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted({_element(item) for item in value}))
    raise RowFault(f"the label is {described(value)}; wanted text, a number, or a list of labels")


def _type_name(kind: type) -> str | None:
    """bool, int, float or str for a type of labels, NumPy's too; None for what is no label by itself."""
    if kind.__name__ in ("bool", "bool_"):
        return "bool"
    return next(
        (name for base, name in ((str, "str"), (Integral, "int"), (Real, "float"), (Decimal, "float")) if issubclass(kind, base)),
        None,
    )


def _element(item: Any) -> str:
    label = clean_text(item) if isinstance(item, str) else _clean_other(item)
    if label is None or isinstance(label, tuple):
        raise RowFault(f"the list of labels holds {'an empty label' if label is None else 'a list'}")
    return spelled(label)
