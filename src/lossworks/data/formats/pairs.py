"""Python rows: (text, label) or (text, label, weight) tuples, dicts, or bare texts where labels may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from ...core.errors import DataError
from ..checked_rows import Fault, Reading, Rows, triple
from ..columns import Columns, choose
from ..labels import described
from ..options import ReadOptions

AT_ONCE = 10_000
UNIT = 1.0  # the weight of a row that names none


def read(items: Iterable[Any], options: ReadOptions, source: str) -> Reading:
    """Rows in the order they come; the keys of the first dict are the columns."""
    stream = iter(items)
    first = next(stream, None)
    if first is None:
        raise DataError(f"{source} are empty. Wanted (text, label) tuples or dicts.")
    keys = list(first) if isinstance(first, Mapping) else []
    columns = choose(map(str, keys), options, source) if isinstance(first, Mapping) else None
    rows = _rows(chain([first], stream), columns, keys, options)
    if columns is None:
        return Reading(rows, "row")
    return Reading(rows, "row", columns.text_column, columns.label_column, columns.kept_names)


def _rows(stream: Iterator[Any], columns: Columns | None, keys: Sequence[Any], options: ReadOptions) -> Iterator[Rows]:
    number = 1
    while items := list(islice(stream, AT_ONCE)):
        kept: list[tuple[Any, Any, Any, Any]] = []
        places: list[int] = []
        faults: list[Fault] = []
        good: list[Any] = []
        for place, item in enumerate(items, number):
            found = _from_dict(item, columns, keys) if columns else _from_tuple(item, options)
            if found is None:
                tuples = "(head, relation, tail)" if options.triples else "(text, label) or (text, label, weight)"
                faults.append((place, f"a row is {described(item)}; wanted {'a dict like the first' if columns else tuples}"))
            else:
                kept.append(found)
                good.append(item)
                places.append(place)
        weighted = any(weight is not UNIT for _, _, weight, _ in kept)
        yield Rows(
            [text for text, *_ in kept],
            [label for _, label, *_ in kept],
            places if faults else range(number, number + len(items)),
            [weight for _, _, weight, _ in kept] if weighted else None,
            faults,
            options.triples,
            [language for *_, language in kept] if columns and columns.language is not None else None,
            [[item.get(keys[i]) for item in good] for i in columns.kept] if columns else [],
        )
        number += len(items)


def _from_tuple(item: Any, options: ReadOptions) -> tuple[Any, Any, Any, Any] | None:
    if options.triples and isinstance(item, tuple | list):
        return (triple(list(map(_text, item))), None, UNIT, None) if len(item) == 3 else None
    if options.unlabelled and isinstance(item, str):
        return _text(item), None, UNIT, None
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        return _text(item[0]), item[1], item[2] if len(item) == 3 else UNIT, None
    return None


def _from_dict(item: Any, columns: Columns, keys: Sequence[Any]) -> tuple[Any, Any, Any, Any] | None:
    if not isinstance(item, Mapping):
        return None
    parts = [_text(item.get(keys[i])) for i in columns.text]
    if columns.triples:
        return triple(parts), None, UNIT, None
    odd = [part for part in parts if not isinstance(part, str)]
    return (
        odd[0] if odd else " ".join(filter(None, parts)),
        None if columns.label is None else item.get(keys[columns.label]),
        UNIT if columns.weight is None else item.get(keys[columns.weight]),
        None if columns.language is None else _text(item.get(keys[columns.language])),
    )


def _text(value: Any) -> Any:
    """NumPy's text as Python's; the rest as it is."""
    return str(value) if isinstance(value, str) else value
