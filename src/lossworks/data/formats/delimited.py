"""CSV and TSV, as Python's csv module reads them: strictly, a block at a time.

A block may end inside a quoted field that spans lines; its unfinished row is then read again with the next block.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import mode

from ...core.errors import DataError
from ..checked_rows import Fault, Reading, Rows
from ..columns import Columns, choose, numbered
from ..encodings import Block
from ..headers import is_header
from ..limits import longest_line
from ..options import ReadOptions

LONGEST = 1 << 26
"""Characters in one row. Beyond it a quote was surely left open."""

SAMPLE = 1 << 16
SEPARATOR = re.compile(r"""\s*"?sep=([!-/:-@[-`{-~\t])"?\r?(\n|$)""", re.IGNORECASE)
"""A first line of Excel's, which says what parts the fields."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What parts the fields, and whether quotes hold them together."""

    delimiter: str
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Parsed:
    """The records of a block, the line each begins at, the faulty ones, and where an unfinished one begins."""

    records: list[list[str]]
    lines: Sequence[int]
    faults: list[Fault]
    unfinished: int | None = None


def read(blocks: Iterator[Block], options: ReadOptions, source: str, format: str) -> Reading:
    """Rows of a CSV (comma, semicolon, tab or vertical bar) or TSV file."""
    head, dialect = _dialect(next(blocks), format, options)
    parsed = _parse_all(chain([head], blocks), dialect)
    faults: list[Fault] = []
    for first in parsed:
        faults += first.faults
        if any(first.records):
            break
    else:  # the faults say why
        return Reading(iter([Rows([], [], [], faults=faults)]))
    start = next(i for i, record in enumerate(first.records) if record)
    records, lines = first.records[start:], first.lines[start:]
    header = None
    if is_header(records[:1000], options):
        header, width = records[0], len(records[0])
        columns = choose(header, options, source, records[1:1000])
        records, lines = records[1:], lines[1:]
    else:
        width = _usual_width(records[:1000])
        columns = choose(numbered(width), options, source, records[:1000])
    body = chain([Parsed(records, lines, faults)], parsed)
    rows = (_rows(part, columns, width, header) for part in body)
    return Reading(rows, "line", columns.text_column, columns.label_column, columns.kept_names)


def _dialect(head: Block, format: str, options: ReadOptions) -> tuple[Block, Dialect]:
    """What parts the fields: as the file says, or as most of its rows agree. And the block without the line that says it."""
    text = head.text()
    if said := SEPARATOR.match(text):
        skipped = text[: said.end()].count("\n")
        raw = head.raw.split(b"\n", skipped)[-1] if skipped else b""
        return Block(head.name, head.line + skipped, raw, head.newlines - skipped), Dialect(said[1])
    sample = text.removesuffix("\n") if len(text) <= SAMPLE else text[:SAMPLE].rpartition("\n")[0] or text[:SAMPLE]
    tabs = _tsv_dialect(sample)
    if format == "tsv" and ("\t" in sample or options.unlabelled or options.format):
        return head, tabs
    present = [dialect for dialect in (tabs, *map(Dialect, ",;|")) if dialect.delimiter in sample]
    best = max(present, key=lambda dialect: _agreement(sample, dialect), default=Dialect(","))  # of equals the first
    return head, best if _agreement(sample, best) else Dialect(",")


def _agreement(sample: str, dialect: Dialect) -> float:
    """The share of a sample's rows that have the usual number of fields, if its first row has several.

    Texts hold commas and semicolons too, but not as many in every row, and with a space after each.
    """
    parsed = _parse(sample, 1, dialect)
    records = [record for record in parsed.records if record]
    if not records or len(records[0]) < 2:
        return 0.0
    width = _usual_width(records)
    tidy = [0.1 if any(cell.startswith(" ") for cell in record[1:]) else 1.0 for record in records if len(record) == width]
    lost = 0 if parsed.unfinished is None else sample.count("\n") + 2 - parsed.unfinished
    return sum(tidy) / (len(records) + len(parsed.faults) + lost)


def _usual_width(records: Sequence[Sequence[str]]) -> int:
    return mode(len(record) for record in records if record)


def _tsv_dialect(sample: str) -> Dialect:
    """Some programs quote fields in TSV as in CSV, most never do; a quote may then begin a sentence like any letter."""
    quoted, raw = Dialect("\t"), Dialect("\t", quoted=False)
    if not re.search(r'(?:^|[\t\n])"', sample):
        return raw
    parsed = _parse(sample, 1, quoted)
    even = len({len(record) for record in parsed.records if record}) == 1
    if parsed.unfinished is not None:  # a quoted text over several lines is no even table when read raw
        even &= len({line.count("\t") for line in sample.split("\n") if line}) > 1
    return quoted if even and not parsed.faults else raw


def _parse_all(blocks: Iterator[Block], dialect: Dialect) -> Iterator[Parsed]:
    held: list[str] = []  # text to parse, which begins at ``line``
    name, line, enough = "", 1, 0
    for block in chain(blocks, [None]):
        if block:
            name, line = block.name, line if held else block.line
            held.append(block.text())
            if sum(map(len, held)) < enough:
                continue
        text = "".join(held)
        parsed = _parse(text, line, dialect)
        yield parsed
        held, enough = [], 0
        if parsed.unfinished is not None:
            rest = text.split("\n", parsed.unfinished - line)[-1]
            line = parsed.unfinished
            if len(rest) > LONGEST or not block:
                raise _never_closed(name, line, rest)
            held, enough = [rest], 2 * len(rest)  # twice as much each time, or a long row would be read over and over


def _never_closed(name: str, line: int, row: str) -> DataError:
    opens = row.replace('""', "  ").rfind('"')
    return DataError(
        f"{name}, line {line + row.count(chr(10), 0, opens)}: a quote opens here and never closes, so the rest of the "
        'file would be one text. Close it, or write a quote inside a quoted text twice ("").'
    )


def _parse(text: str, line: int, dialect: Dialect) -> Parsed:
    """All records of ``text``, whose first line has the number ``line``."""
    records: list[list[str]] = []
    lines: list[int] = []
    faults: list[Fault] = []
    limit = csv.field_size_limit(max(LONGEST * 4, longest_line()))
    try:
        reader = csv.reader(
            io.StringIO(text, newline="\n"),
            delimiter=dialect.delimiter,
            quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
            strict=True,
        )
        while True:
            at, before, error = line + reader.line_num, len(records), None
            try:
                records.extend(reader)  # keeps what it got before an error
            except csv.Error as caught:
                error = caught
            if error is None and reader.line_num == len(records):
                return Parsed(records, range(line, line + len(records)), faults)
            for record in records[before:]:
                lines.append(at)
                at += 1 + sum(cell.count("\n") for cell in record)
            if error is None:
                return Parsed(records, lines, faults)
            if "unexpected end" in str(error):
                return Parsed(records, lines, faults, at)
            faults.append((at, _reason(error, at, line + reader.line_num - 1)))
    finally:
        csv.field_size_limit(limit)


def _reason(error: csv.Error, begins: int, ends: int) -> str:
    if "expected after" in str(error):
        where = f"; the row runs on to line {ends}" if ends > begins else ""
        return f'text follows a closing quote{where}. A quote inside a quoted text is written twice ("")'
    if "new-line" in str(error):
        return "a carriage return stands inside the line, outside quotes"
    return str(error)


def _rows(parsed: Parsed, columns: Columns, width: int, header: list[str] | None) -> Rows:
    records, lines, faults = parsed.records, parsed.lines, parsed.faults
    if set(map(len, records)) - {width} or header in records:  # ragged, blank (a blank line is no row), or files joined
        faults = faults + [
            (line, "the header stands here again" if record == header else f"expected {width} columns, found {len(record)}")
            for line, record in zip(lines, records, strict=True)
            if record == header or len(record) not in (0, width)
        ]
        kept = [(line, row) for line, row in zip(lines, records, strict=True) if len(row) == width and row != header]
        lines, records = [line for line, _ in kept], [record for _, record in kept]
    return Rows.of([[record[i] for record in records] for i in columns.chosen], columns, lines, faults)
