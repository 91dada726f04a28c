"""Whether rows have room in memory: foretold from the first of them whatever the format, and seen while they are read."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from lossworks import tokens
from lossworks.core.errors import OutOfMemory
from lossworks.data import ReadOptions, loading, room
from lossworks.data.loading import load
from lossworks.tokens import base, words
from lossworks.training import Settings
from lossworks.training.sizes import beyond

ROWS, FIRST = 40_000, 2_000
BYTES_OF_A_ROW = 1_000
TEXTS = [f"text number {row} of some that are all of one length"[:40] for row in range(ROWS)]


def takes(rows: float, sample: Sequence[str]) -> float:
    """Much, so that few rows tell."""
    assert sample
    return BYTES_OF_A_ROW * rows


def memory(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    """So much is free beside what has been taken of rows."""
    monkeypatch.setattr(room, "_FIRST", FIRST)
    for module in (room, loading, base, words):
        monkeypatch.setattr(module, "available", lambda: float(free))


def written(folder: Path, form: str) -> str:
    """The rows in a file, or several, of a form."""
    path, table = folder / f"rows.{form}", {"text": TEXTS, "label": [row % 2 for row in range(ROWS)]}
    plain = "\n".join([f"{text},{label}" for text, label in zip(TEXTS, table["label"], strict=True)]).encode()
    if form == "parquet":
        pl.DataFrame(table).write_parquet(path)
    elif form == "jsonl":
        path.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    elif form == "two":
        for name, lines in (("a", TEXTS[: ROWS // 2]), ("b", TEXTS[ROWS // 2 :])):
            (folder / f"{name}.txt").write_text("\n".join(lines))
        return str(folder / "*.txt")
    else:
        pack: Any = {"csv": bytes, "txt": bytes, "csv.gz": gzip.compress, "csv.zst": zstandard.compress}[form]
        path.write_bytes(pack(b"\n".join(text.encode() for text in TEXTS) if form == "txt" else b"text,label\n" + plain))
    return str(path)


@pytest.mark.parametrize("form", ["csv", "txt", "jsonl", "parquet", "csv.gz", "csv.zst", "two"])
def test_foretold(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is refused after its first rows, with all of them counted to a tenth; what fits is not."""
    source, read = written(tmp_path, form), ReadOptions(unlabelled=True)
    everything, asked = ROWS * (BYTES_OF_A_ROW + 28), list[float]()

    def takes(rows: float, sample: Sequence[str]) -> float:
        asked.append(rows)
        return BYTES_OF_A_ROW * rows

    memory(monkeypatch, 0.85 * everything)
    with pytest.raises(OutOfMemory) as refused:
        load(source, read, beyond=takes, budget=0)
    if form != "csv.gz" or sys.version_info < (3, 13):  # which reads as much of it as there is here at once
        assert asked[0] == pytest.approx(
            ROWS, rel=0.4 if "." in form else 0.1
        )  # the first time already; packed bytes are read ahead
    said = str(refused.value)
    told = re.search(r"about ([\d,]+) rows.*about ([\d.]+) GB, and ([\d.]+) GB.*random (\d+)%.*--valid ([\d.]+)", said)
    assert told, said
    assert int(told[1].replace(",", "")) == pytest.approx(ROWS, rel=0.1)
    assert float(told[2]) * 1e9 == pytest.approx(everything, rel=0.15)
    assert float(told[3]) * 1e9 == pytest.approx(0.85 * everything, rel=0.2)
    assert (told[4], told[5]) == ("50", "0.5")
    assert f"lossworks data prepare {'' if '*' not in source else chr(39)}{source}" in said
    memory(monkeypatch, 1.15 * everything)
    with closing(load(source, read, beyond=takes, budget=0)) as corpus:
        assert len(corpus) == ROWS


def test_seen_while_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows how many rows there are, those at hand count; more are not foretold."""
    seen = []

    def rows() -> Any:
        for row, text in enumerate(TEXTS):
            seen.append(row)
            yield text, "ab"[row % 2]

    memory(monkeypatch, 0.5 * ROWS * BYTES_OF_A_ROW)
    with pytest.raises(OutOfMemory, match=r"the first [\d,]+ rows.* Give fewer rows"):
        load(rows(), beyond=takes)
    assert 0.5 * ROWS <= len(seen) < 0.8 * ROWS


def test_texts_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of little memory texts take a quarter, and wait on the disk beyond; they count up to there, and come back as they were."""
    size = sum(map(str.__sizeof__, TEXTS)) + 8 * ROWS
    memory(monkeypatch, 0.5 * size)
    monkeypatch.setattr(room, "_HELD", 0)
    source, read = written(tmp_path, "txt"), ReadOptions(unlabelled=True)
    with closing(load(source, read, beyond=lambda rows, sample: 0.2 * size)) as corpus:
        assert corpus.held <= 0.25 * size
        assert [text for block in corpus.blocks() for text in block] == TEXTS
    with pytest.raises(OutOfMemory):
        load(source, read, beyond=lambda rows, sample: 0.7 * size)


def test_what_a_fit_takes() -> None:
    """More for more rows, for longer texts, and for more n-grams of each; beyond what is held of these, a piece at a time."""
    short, long = ["one two"] * 10, ["one two three four five six seven"] * 10
    default, words_alone = (beyond(Settings(model=model)) for model in (None, "linear:chars=0,bits=18"))
    few, many = 10_000.0, 1e6
    assert default(few, short) < default(many, short)
    assert default(few, short) < default(few, long)
    assert words_alone(many, long) < default(many, long)
    assert default(2e7, long) - default(1e7, long) < 1e7 * (60 + 4 * 200 * 3 / 64)
    counted, network = (beyond(Settings(task="lm", model=model)) for model in ("ngram", "transformer"))
    assert counted(many, long) == counted(many, short) < network(many, short)
    rows = 13_272_000  # of 24 GB: a network's tokens were killed by the system where 2 GB were granted
    assert network(rows, long) + 28 * rows + (256 << 20) > 2e9


@pytest.mark.parametrize("spec", ["words", "bpe:size=300"])
def test_words_that_are_too_many(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting ends as soon as no vocabulary could be made of the words; as many texts of few words are no trouble."""
    held = iter(range(0, 100 << 20, 1 << 20))
    monkeypatch.setattr(base, "taken", lambda: next(held) if spec != "words" else 0)
    memory(monkeypatch, 5 << 20)
    read: list[int] = []
    blocks = ([f"w{1000 * block + word}" for word in range(1000)] for block in range(60))
    with pytest.raises(OutOfMemory, match=r"different words.*lossworks data prepare"):
        tokens.build(spec).learn(blocks, read.append)
    assert 5_000 <= read[-1] <= 25_000
    monkeypatch.setattr(base, "taken", lambda: 0)
    assert tokens.build(spec).learn([["few words"] * 1000] * 60).vocabulary.size > 4


@pytest.mark.parametrize("known", [True, False])
def test_rows_are_told(tmp_path: Path, known: bool) -> None:
    """Whoever waits is told how many rows were read and of how many, as far as that is known; at last that they all are."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("text,label\n" + "some words,x\nothers,y\n" * 20_000)
    told: list[tuple[int, float | None]] = []
    source = tmp_path / "[ab].csv" if known else iter([("some words", "x"), ("others", "y")] * 20_000)
    with closing(load(source, tell=lambda *both: told.append(both))) as corpus:
        assert (len(told) > 1, told[-1][0]) == (True, len(corpus))
    assert told == sorted(told, key=lambda each: each[0])
    assert all((of == pytest.approx(80_000, rel=0.05)) if known else of is None for _, of in told)
