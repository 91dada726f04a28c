"""The format of a file: by its name, else by how it begins."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import DataError
from ..columns import is_header
from ..options import ReadOptions

PACKED = (".gz", ".zst", ".zstd")
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


def by_look(start: str, options: ReadOptions, source: str) -> str:
    """The format that text beginning with ``start`` is in.

    Raises:
        DataError: it is none that labels can be read from.
    """
    lines = [line for line in start.split("\n")[:100] if line.strip()]
    first = lines[0] if lines else ""
    if first.lstrip().startswith("{"):
        return "jsonl"
    if first.startswith("__label__"):
        return "fasttext"
    if options.unlabelled:  # prose may hold commas and tabs; a table names its columns, or is told which to read
        for mark, format in (("\t", "tsv"), (",", "csv")):
            if mark in first and is_header([line.replace('"', "").split(mark) for line in lines], options):
                return format
        return "tsv" if "\t" in first and options.text_columns else "lines"
    if "\t" in first:
        return "tsv"
    if any(mark in first for mark in ",;|"):
        return "csv"
    raise DataError(
        f"cannot tell the format of {source}; it begins {first[:40]!r}. Wanted CSV, TSV, JSONL, Parquet or lines like "
        "`__label__good some text`, with a label and a text each. If it is one of these, name it with --format. "
        "Text without labels is for models of language: --task lm."
    )
