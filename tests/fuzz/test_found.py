"""What ``bench/fuzzing.py`` found: each file is now refused by an error of ours that names it."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

import lossworks
from lossworks import report, tokens
from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.core.specs import read_toml
from lossworks.data import load
from lossworks.data.vector_file import read_words
from lossworks.engine import checkpoint
from lossworks.fusion.lexicon import LexiconSource
from lossworks.fusion.votes_file import read_votes
from lossworks.models.ngram.arpa_reader import read_arpa
from lossworks.models.transformer import TransformerSpec
from lossworks.tasks import Classify, label_task

Put = Callable[[str, str | bytes], Path]
ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]
DEEP = "[" * 100_000


def workbook(version: int = 20, cut: int = 0) -> bytes:
    """A zip whose directory asks for a version of the format, or has lost its beginning."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    content = bytearray(made.getvalue())
    at = content.index(b"PK\1\2")
    content[at + 6 : at + 8] = struct.pack("<H", version)
    content[at : at + cut] = bytes(cut)
    return bytes(content)


@pytest.mark.parametrize("content", [workbook(255), workbook(cut=4)])
def test_workbooks(put: Put, content: bytes) -> None:
    """A zip that Python's module does not read."""
    pytest.importorskip("fastexcel")
    with pytest.raises(DataError, match=r"rows\.xlsx: not a workbook, or a damaged one"):
        load(put("rows.xlsx", content))


@pytest.mark.parametrize("vote", [{"a": 1}, [["x"]]])
def test_votes(put: Put, vote: Any) -> None:
    """Votes that are no labels; JSON that is nested more deeply than Python goes; Parquet and CSV that are none."""
    with pytest.raises(DataError, match=r"v\.jsonl, line 1: the l"):
        read_votes(put("v.jsonl", json.dumps({"text": "a", "votes": ["x", vote]})))
    with pytest.raises(DataError, match=r"v\.jsonl, line 1: not JSON"):
        read_votes(put("v.jsonl", '{"text": "a", "votes": ' + DEEP))
    with pytest.raises(DataError, match=r"v\.parquet is damaged"):
        read_votes(put("v.parquet", b"PAR1 and no more"))
    with pytest.raises(DataError, match=r"v\.csv, line 2: field larger"):
        read_votes(put("v.csv", "text,one\n" + "a" * 140_000 + ",x\n"))


def test_lexicon(put: Put) -> None:
    """Parquet that is none, and a line of JSON that is nested too deeply."""
    task = Classify(("bad", "good"))
    with pytest.raises(DataError, match=r"l\.parquet is damaged"):
        LexiconSource.open(str(put("l.parquet", b"PAR1 and no more")), task)
    with pytest.raises(DataError, match=r"l\.jsonl"):
        LexiconSource.open(str(put("l.jsonl", '{"word": ' + DEEP)), task)


def test_toml(put: Put) -> None:
    """Arrays that are nested more deeply than Python goes."""
    with pytest.raises(DataError, match=r"fit\.toml is nested too deeply"):
        read_toml(put("fit.toml", f"epochs = {DEEP}"))


@pytest.mark.parametrize("head", ["4 " + "9" * 30, "9" * 30 + " 3"])
def test_word_vectors(put: Put, head: str) -> None:
    """A first line with numbers that no machine has room for."""
    with pytest.raises(DataError, match=r"words\.vec"):
        read_words(put("words.vec", f"{head}\na 1 2 3\n"), 10)


def test_arpa_backoffs(put: Put) -> None:
    """A backoff whose power of ten is infinite would make a run that cannot be read."""
    text = "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-1 <unk>\n-1 <s> 400\n-1 </s>\n\n\\2-grams:\n-1 <s> </s>\n\n\\end\\\n"
    with pytest.raises(DataError, match=r"m\.arpa, line 7: a log10 backoff is above 308"):
        read_arpa(put("m.arpa", text))


def vocabulary(numbers: dict[str, int]) -> str:
    """A ``tokenizer.json`` with these numbers of tokens."""
    saved: dict[str, Any] = json.loads(Tokenizer(models.BPE({"a": 0, "b": 1}, [])).to_str())
    saved["model"]["vocab"] = numbers
    return json.dumps(saved)


@pytest.mark.parametrize(
    ("numbers", "said"), [({"a": 0, "b": 2**31}, "a token has the number 2147483648"), ({"a": 0, "b": 0}, "the same number")]
)
def test_tokenizers(put: Put, numbers: dict[str, int], said: str) -> None:
    """A number for which the library would take 50 GB; one that two tokens share."""
    with pytest.raises(RecordError, match=rf"tokenizer\.json is damaged.*{said}"):
        tokens.load(put("tokenizer.json", vocabulary(numbers)))


def test_numbers_left_out(put: Put) -> None:
    """Numbers that no token has count: those after them are below the size of the vocabulary."""
    made = tokens.load(put("tokenizer.json", vocabulary({"a": 0, "b": 7})))
    assert (made.vocabulary.size, made.vocabulary.start, made.vocabulary.end) == (10, 8, 9)
    assert made.encode(["ab"])[0].tolist() == [0, 7]
    assert len(made.spans("ab")) == 2


def test_transformer_numbers() -> None:
    """A configuration with numbers that are none."""
    with pytest.raises(UsageError, match="eps is nan; wanted a finite number above 0"):
        TransformerSpec(eps=float("nan"))


@pytest.mark.parametrize(("labels", "kind"), [([{}], "str"), (["a", "a"], "str"), (["x"], "int"), ([1, 2], "str")])
def test_labels(labels: list[Any], kind: str) -> None:
    """Labels in a file that are no labels of the type it tells."""
    with pytest.raises(ValueError, match=r"label|invalid literal"):
        label_task("classify", labels, label_type=kind)


@pytest.mark.parametrize("state", [DEEP, "3", "[]", "null"])
def test_checkpoints(tmp_path: Path, state: str) -> None:
    """A state that is no object, or nested too deeply."""
    save_file({"w": torch.zeros(1)}, tmp_path / "step-000000000001.safetensors", {"state": state})
    with pytest.raises(RecordError, match=r"step-000000000001\.safetensors is damaged"):
        checkpoint.load_newest(tmp_path)


def test_reports(tmp_path: Path) -> None:
    """A whole number that no float holds, in a log."""
    lossworks.fit(ROWS, model="linear:bits=8", epochs=1, out=tmp_path / "run")
    log = tmp_path / "run" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    changed = [line | {key: 10**400 for key in ("loss", "value", "nll", "seconds") if key in line} for line in lines]
    log.write_text("".join(json.dumps(line) + "\n" for line in changed), "utf-8")
    with pytest.raises(RecordError, match="OverflowError"):
        report.write(tmp_path / "run")


def test_storage(tmp_path: Path) -> None:
    """A database that is damaged is named."""
    from lossworks.evidence.store import Store

    (tmp_path / "trials.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(RecordError, match=r"trials\.db"):
        Store(tmp_path, None, "one", ["a"])


def test_storage_without_format(tmp_path: Path) -> None:
    """A database that has lost the row of its format."""
    from lossworks.evidence.store import Store

    Store(tmp_path, None, "one", ["a"])
    with closing(sqlite3.connect(tmp_path / "trials.db", isolation_level=None)) as database:
        database.execute("DELETE FROM lossworks_format")
    with pytest.raises(RecordError, match=r"format None and this version reads format \d+ \(.*trials\.db"):
        Store(tmp_path, None, "one", ["a"])
