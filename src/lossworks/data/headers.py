"""Whether the first row names the columns, or is one of the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ..core.errors import DataError, UsageError
from .columns import LABEL_NAMES, MISSING, TEXT_NAMES, as_run, choose, folded, named_triple
from .options import Column, ReadOptions


def is_header(rows: Sequence[Sequence[str]], options: ReadOptions, *, prose: bool = False) -> bool:
    """Whether the first of ``rows`` names the columns; where it can be told by names only, the rows may be ``prose``."""
    if options.header is not None:
        return options.header
    if any(isinstance(c, str) and not re.fullmatch(r"[\d,\s]+", c) for c in _given(options)):
        return True
    first = rows[0]
    if any(as_run(first, options)):
        return True
    if options.triples:
        return named_triple(first) is not None
    body = [row for row in rows[1:] if row != first or len(first) == 1]  # files joined repeat the whole header
    if not all(map(_reads_like_name, first)):
        return False
    return _has_known_names(first, body) or (not prose and _stands_out(first, body, options))


def _has_known_names(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Names of a text and of a label; or of one, which then stands there once: classes may be called like columns."""
    texts, labels = ([i for i, name in enumerate(first) if folded(name) in known] for known in (TEXT_NAMES, LABEL_NAMES))
    if texts and labels:
        return True
    again = any(row[i : i + 1] == first[i : i + 1] for row in body for i in texts + labels)
    return bool(texts or labels) and not again and len(set(first)) == len(first)


def _stands_out(first: Sequence[str], body: Sequence[Sequence[str]], options: ReadOptions) -> bool:
    """Whether names that nobody knows head the columns, for no row may be lost that could be one of the data.

    Either a word stands above numbers alone. Or a label that no row has stands above labels that all but few rows share,
    beside a text shorter than nearly all: a row that is the only one of its class is rarely both the first and the shortest.
    """
    body = [row for row in body if len(row) == len(first)]
    words = [i for i, cell in enumerate(first) if any(map(str.isalpha, cell)) and cell.casefold() not in MISSING]
    numbers = ([_is_number(row[i]) for row in body if row[i]] for i in words)
    if any(len(column) > 2 and all(column) for column in numbers):
        return True
    try:
        columns = choose(first, options, "", body)
    except (DataError, UsageError):
        return False
    if columns.label is None or len(body) < 8:
        return False
    label, text = first[columns.label], first[columns.text[0]]
    classes = Counter(row[columns.label] for row in body)
    lonely = sum(count == 1 for count in classes.values())
    cells = [row[columns.text[0]] for row in body]
    longer = sum(len(cell) > len(text) or len(cell.split()) > len(text.split()) for cell in cells)
    return (
        bool(label and text and label not in classes)
        and len(classes) > 1
        and 50 * lonely <= len(body)
        and 10 * longer >= 9 * len(body)
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _given(options: ReadOptions) -> list[Column]:
    return [
        c
        for c in (*options.text_columns, *options.kept_columns, options.label, options.weight, options.language_column)
        if c is not None
    ]


def _reads_like_name(cell: str) -> bool:
    cell = cell.strip()
    return len(cell) <= 40 and len(cell.split()) <= 4 and not cell.endswith((".", "!", "?")) and not _is_number(cell)
