"""Small sources in many formats, with doubles among them, and what must become of them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from lossworks.preparation.pipeline import job as jobs

Put = Callable[[str, str | bytes], Path]


def sentence(number: int) -> str:
    """A text of its own words; 我 makes it no plain ASCII."""
    return f"我 {number} " + " ".join(f"{chr(97 + (number * 7 + i * i) % 26)}{number * 31 + i * 17:x}" for i in range(20))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces, ranges and windows so small that a few rows make many."""
    monkeypatch.setattr(jobs, "PIECE", 700)
    monkeypatch.setattr(jobs, "RANGE", 3000)
    monkeypatch.setattr(jobs, "WINDOW", 2000)


@pytest.fixture
def sources(put: Put) -> tuple[list[Path], list[str]]:
    """Files in the order that they are given in, and all their rows in that order; the same texts come again and again, some with
    a word more.
    """
    rows = [sentence(i) for i in range(60)]
    words = sentence(70).split() + sentence(71).split()[2:]
    chain = [" ".join(words[first : first + 20]) for first in (0, 2, 4)]  # each like the next, the first not like the last
    rows[19] = chain[0]
    again = [rows[3], rows[7] + " more", rows[5], rows[40] + " and"]
    tables = [
        rows[20:30] + again[:1],
        rows[30:40] + again[1:2],
        [*rows[40:50], chain[1]],
        rows[50:60] + again[2:] + chain[2:],
        ["no doubles\nin two lines", *rows[:2]],
    ]
    table = io.StringIO()
    csv.writer(table).writerows([["label", "text"], *(["c", text] for text in tables[4])])
    files = [
        put("a.txt", "\n\n".join(rows[:20]) + "\r\n"),
        put("b.txt.gz", gzip.compress("\n".join(tables[0]).encode())),
        put("c.jsonl", "".join(json.dumps({"id": i, "text": text, "label": i % 2}) + "\n" for i, text in enumerate(tables[1]))),
        put("d.jsonl.zst", zstandard.compress("".join(json.dumps({"text": text}) + "\n" for text in tables[2]).encode())),
        put("e.ft.bz2", bz2.compress("".join(f"__label__x {text}\n" for text in tables[3]).encode())),
        put("f.csv", table.getvalue()),
    ]
    return files, rows[:20] + [text for texts in tables for text in texts]
