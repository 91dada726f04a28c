"""JSON lines, one object a line, or one array of objects. Only the chosen columns are decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from ...core.errors import DataError
from ..checked_rows import Fault, Reading, Rows
from ..columns import Columns, choose
from ..encodings import Block
from ..limits import check_line
from ..options import ROWS_WANTED, ReadOptions

Decoder = msgspec.json.Decoder[Any]

AT_ONCE = 10_000
ARRAY = re.compile(r'\s*\[\s*(\{\s*"|\]?\s*$)')
WANTED = 'JSON lines, one object a line, such as {"text": …, "label": …}, or an array of such objects'
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read(blocks: Iterator[Block], options: ReadOptions, source: str, keys: list[str] | None = None) -> Reading:
    """Rows of a JSONL file. Of an array all is held in memory at once. ``keys``: its columns; of the first lines if None."""
    head = next(blocks)
    unit = "line"
    if keys is None and ARRAY.match(head.text()):
        unit, blocks = "row", _elements(_held(chain([head], blocks), source), source)
        head = next(blocks)
    keys = keys_of(head, source) if keys is None else keys
    columns = choose(keys, options, source)
    names = [f"c{i}" for i in columns.chosen]
    try:
        line = msgspec.defstruct(
            "Line",
            [(name, Any, None) for name in names],
            rename=dict(zip(names, (keys[i] for i in columns.chosen), strict=True)),
            gc=False,
        )
    except ValueError:
        raise DataError(f"{source}: the name of a column holds a quote, a backslash or a control character. Rename it.") from None
    decoder = msgspec.json.Decoder(line)
    rows = (_rows(block, decoder, names, columns) for block in chain([head], blocks))
    return Reading(rows, unit, columns.text_column, columns.label_column, columns.kept_names)


def _held(blocks: Iterator[Block], source: str) -> list[Block]:
    """The blocks of an array, as far as it is held in memory."""
    held, length = list[Block](), 0
    for block in blocks:
        length += len(block.raw)
        check_line(length, source, "the JSON array (write it as JSON lines, which are read one by one)")
        held.append(block)
    return held


def _elements(blocks: list[Block], source: str) -> Iterator[Block]:
    """The elements of one array, as lines with the numbers of their rows; no string holds a newline, so all can go."""
    for block in blocks:
        block.text()  # bytes in another encoding are named by their lines
    try:
        elements = msgspec.json.decode(b"".join(block.raw for block in blocks), type=list[msgspec.Raw])
    except UNREADABLE as error:
        raise DataError(f"{source}: the JSON array is damaged, cut off, or not all that the file holds ({error}).") from None
    if not elements:
        raise DataError(f"{source} holds no rows. {ROWS_WANTED}")
    for start in range(0, len(elements), AT_ONCE):
        lines = [bytes(element).replace(b"\n", b" ") for element in elements[start : start + AT_ONCE]]
        yield Block(source, start + 1, b"\n".join(lines), len(lines) - 1)


def keys_of(head: Block, source: str) -> list[str]:
    """The keys of the first lines that are objects, in the order they appear."""
    keys: dict[str, None] = {}
    why = ""
    for number, raw in enumerate(head.raw.split(b"\n", 100)[:100], head.line):
        try:
            line = msgspec.json.decode(raw)
        except UNREADABLE as error:
            why = why or (f" (line {number}: {error})" if raw.strip() else "")
            continue
        if isinstance(line, dict):
            keys |= dict.fromkeys(line)
    if not keys:
        head.text()  # if the encoding is what is wrong, say that
        raise DataError(f"{source}: none of its first lines is a JSON object{why}; wanted {WANTED}.")
    return list(keys)


def _rows(block: Block, decoder: Decoder, names: list[str], columns: Columns) -> Rows:
    faults: list[Fault] = []
    places: range | list[int] = range(block.line, block.line + block.newlines + (not block.raw.endswith(b"\n")))
    try:
        lines = decoder.decode_lines(block.raw)
    except UNREADABLE:
        lines = []
    if len(lines) != len(places):  # a fault, or blank lines
        lines, places, faults = _one_by_one(block, decoder)
    return Rows.of([list(map(attrgetter(name), lines)) for name in names], columns, places, faults)


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
        except RecursionError:
            faults.append((number, "the JSON is nested too deep"))
        except msgspec.DecodeError as error:
            odd = str(error).startswith("Expected")
            faults.append((number, f"wanted a JSON object; {str(error).lower()}" if odd else f"not JSON: {error}"))
    return lines, places, faults
