"""JSON lines: one object a line. Only the chosen columns are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from ...core.errors import DataError
from ..checked_rows import Fault, Reading, Rows
from ..columns import choose
from ..encodings import Block
from ..options import ReadOptions

Decoder = msgspec.json.Decoder[Any]

WANTED = 'JSON lines, one object a line, such as {"text": …, "label": …}'


def read(blocks: Iterator[Block], options: ReadOptions, source: str) -> Reading:
    """Rows of a JSONL file; the columns are the keys of its first lines."""
    head = next(blocks)
    columns = choose(_keys(head, source), options, source)
    names = [f"c{i}" for i in columns.chosen]
    line = msgspec.defstruct(
        "Line",
        [(name, Any, None) for name in names],
        rename=dict(zip(names, (columns.names[i] for i in columns.chosen), strict=True)),
        gc=False,
    )
    decoder = msgspec.json.Decoder(line)
    names_of = (
        [f"c{i}" for i in columns.text],
        None if columns.label is None else f"c{columns.label}",
        None if columns.weight is None else f"c{columns.weight}",
    )
    rows = (_rows(block, decoder, *names_of) for block in chain([head], blocks))
    return Reading(rows, "line", columns.text_column, columns.label_column)


def _keys(head: Block, source: str) -> list[str]:
    """The keys of the first lines that are objects, in the order they appear."""
    if head.raw.lstrip()[:1] == b"[":
        raise DataError(f"{source} is one JSON array; wanted {WANTED}.")
    keys: dict[str, None] = {}
    for raw in head.raw.split(b"\n", 100)[:100]:
        try:
            line = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(line, dict):
            keys |= dict.fromkeys(line)
    if not keys:
        head.text()  # if the encoding is what is wrong, say that
        raise DataError(f"{source}: none of its first lines is a JSON object; wanted {WANTED}.")
    return list(keys)


def _rows(block: Block, decoder: Decoder, text: list[str], label: str | None, weight: str | None) -> Rows:
    faults: list[Fault] = []
    places: range | list[int] = range(block.line, block.line + block.newlines + (not block.raw.endswith(b"\n")))
    try:
        lines = decoder.decode_lines(block.raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        lines = []
    if len(lines) != len(places):  # a fault, or blank lines
        lines, places, faults = _one_by_one(block, decoder)
    texts = list(map(attrgetter(text[0]), lines))
    if len(text) > 1:
        texts = [_joined([getattr(line, name) for name in text]) for line in lines]
    return Rows(
        texts,
        [None] * len(lines) if label is None else list(map(attrgetter(label), lines)),
        places,
        None if weight is None else list(map(attrgetter(weight), lines)),
        faults,
    )


def _joined(parts: list[Any]) -> Any:
    """Several texts as one; something that is no text as it is, for the check to name."""
    odd = next((part for part in parts if part is not None and not isinstance(part, str)), None)
    return odd if odd is not None else " ".join(filter(None, parts))


def _one_by_one(block: Block, decoder: Decoder) -> tuple[list[Any], list[int], list[Fault]]:
    lines: list[Any] = []
    places: list[int] = []
    faults: list[Fault] = []
    block.text()  # bytes in another encoding are not the fault of single rows
    for number, raw in enumerate(block.raw.split(b"\n"), block.line):
        if not raw.strip():
            continue
        try:
            lines.append(decoder.decode(raw))
            places.append(number)
        except msgspec.ValidationError as error:
            faults.append((number, f"wanted a JSON object; {str(error)[:1].lower()}{str(error)[1:]}"))
        except msgspec.DecodeError as error:
            faults.append((number, f"not JSON: {error}"))
    return lines, places, faults
