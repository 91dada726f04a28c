"""Writers of every format, for tests that read it back."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

Pairs = list[tuple[str, str]]
Writer = Callable[..., Path]


def _table(rows: Pairs, delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label"), *rows])
    return out.getvalue().encode()


def _jsonl(rows: Pairs) -> bytes:
    return "".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows).encode()


def _parquet(rows: Pairs) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows, schema={"text": pl.String, "label": pl.String}, orient="row").write_parquet(out)
    return out.getvalue()


def _json(rows: Pairs) -> bytes:
    return json.dumps([{"text": text, "label": label} for text, label in rows], indent=1, ensure_ascii=False).encode()


def _fasttext(rows: Pairs) -> bytes:
    return "".join(f"__label__{label} {text}\n" for text, label in rows).encode()


WRITERS = {
    "csv": lambda rows: _table(rows, ","),
    "tsv": lambda rows: _table(rows, "\t"),
    "jsonl": _jsonl,
    "json": _json,
    "parquet": _parquet,
    "fasttext": _fasttext,
}


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """``write(rows, format, packing="", name=None)``: the path of a file that holds (text, label) rows."""

    def writer(rows: Pairs, format: str, packing: str = "", name: str | None = None) -> Path:
        path = tmp_path / (name or f"reviews.{format}{packing}")
        path.write_bytes(PACKERS[packing](WRITERS[format](rows)))
        return path

    return writer
