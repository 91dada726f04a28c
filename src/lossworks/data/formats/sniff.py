"""The format of a file: by its name, else by how it begins."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from ...core.errors import DataError
from ..encodings import Block
from ..headers import is_header
from ..options import ReadOptions
from .delimited import SEPARATOR
from .jsonl import ARRAY
from .lines import LABEL

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zstd")
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".fasttext": "fasttext",
    ".ft": "fasttext",
}


def by_name(path: Path) -> str | None:
    """The format that the file's suffix stands for; a suffix of compression is looked through."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def by_look(head: Block, options: ReadOptions, named: str | None) -> str:
    """The format of a file that begins with ``head`` and whose name says ``named``; a table may turn out to be JSON.

    Raises:
        DataError: it is none that labels can be read from.
    """
    if named not in (None, "csv", "tsv"):
        return named
    start = head.text()
    lines = [line for line in start.split("\n", 100)[:100] if line.strip()]
    if ARRAY.match(start) or 2 * sum(map(_is_object, lines)) > len(lines):
        return "jsonl"
    if named:
        return named
    first = lines[0] if lines else ""
    if options.triples:
        return "tsv" if "\t" in first else "csv"
    if SEPARATOR.match(start):
        return "csv"
    if first.startswith("__label__"):
        return "fasttext"
    if options.unlabelled:  # prose may hold commas, tabs and braces; a table names its columns, or is told which to read
        for mark, format in (("\t", "tsv"), (",", "csv")):
            if mark in first and is_header([line.replace('"', "").split(mark) for line in lines], options, prose=True):
                return format
        return "tsv" if "\t" in first and options.text_columns else "lines"
    if re.match(r"""\s*\{\s*(["'}]|$)""", first):
        return "jsonl"
    if LABEL.search(first):
        return "fasttext"
    if any(mark in first for mark in "\t,;|"):
        return "csv"
    raise DataError(
        f"cannot tell the format of {head.name}; it begins {first[:40]!r}. Wanted CSV, TSV, JSONL, Parquet or lines like "
        "`__label__good some text`, with a label and a text each. If it is one of these, name it with --format. "
        "Text without labels is for models of language: --task lm."
    )


def _is_object(line: str) -> bool:
    try:
        return line.lstrip().startswith("{") and isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
