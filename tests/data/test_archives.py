"""Zips, workbooks and folders of shards are read as the files in them are."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lossworks.core.errors import DataError, NotInstalled
from lossworks.data import ReadOptions, limits, load
from lossworks.data.sources import is_there
from lossworks.data.streaming import stream

from .conftest import PACKERS, WRITERS

A, B = [("good", "pos"), ("bad", "neg")], [("坏", "neg")]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """A zip of files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("format", ["csv", "json", "parquet", "fasttext"])
def test_zip(format: str, tmp_path: Path) -> None:
    """All its files in the order of their names, or one by its path; rows are named by file and line."""
    files = {f"in/b.{format}": WRITERS[format](B), f"a.{format}": WRITERS[format](A), "__MACOSX/._a": b"\0", "in/.x": b"\0"}
    path = zipped(tmp_path / "x.zip", files)
    corpus = load(path)
    assert corpus.texts(range(3)) == ["good", "bad", "坏"]
    assert f"x.zip/in/b.{format}" in corpus.place(2)
    assert load(path / f"in/b.{format}").texts([0]) == ["坏"]
    assert is_there(str(path / f"a.{format}"))
    with pytest.raises(DataError, match=rf"x\.zip holds 2 files.* such as .*x\.zip/a\.{format}"), stream(path, ReadOptions()):
        pass


def test_unusual_zips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed files in a zip are unpacked; nothing in it, nothing of that name, damage and bombs are said."""
    one = zipped(tmp_path / "one.zip", {"a.csv.gz": PACKERS[".gz"](WRITERS["csv"](A))})
    with stream(one, ReadOptions()) as rows:
        assert [text for block in rows.blocks() for text in block.texts] == ["good", "bad"]
    with pytest.raises(DataError, match=r"there is no file b\.csv in .*one\.zip"):
        load(one / "b.csv")
    with pytest.raises(DataError, match=r"none\.zip is a zip without a file in it"):
        load(zipped(tmp_path / "none.zip", {"folder/": b""}))
    broken = zipped(tmp_path / "cut.zip", {"a.csv": WRITERS["csv"](A)})
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(DataError, match=r"cut\.zip: the zip is damaged"):
        load(broken)
    bomb = zipped(tmp_path / "bomb.zip", {"a.csv": WRITERS["csv"](A * 9000)})
    monkeypatch.setattr(limits, "SMALL", 1 << 14)
    monkeypatch.setenv(limits.RATIO, "50")
    with pytest.raises(DataError, match=r"bomb\.zip/a\.csv: [\d,]+ bytes unpack to [\d,]+ or more, over 50"):
        load(bomb)


def test_shards(tmp_path: Path) -> None:
    """A folder of Parquet shards is one source, numbers of classes are their names; shards of several parts are told apart."""
    feature = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
    for number, labels in enumerate(([1, 0], [0])):
        frame = pl.DataFrame({"text": [f"t{number}{i}" for i in range(len(labels))], "label": labels})
        frame.write_parquet(tmp_path / f"train-0000{number}-of-00002.parquet", metadata={"huggingface": json.dumps(feature)})
    corpus = load(tmp_path)
    assert corpus.texts(range(3)) == ["t00", "t01", "t10"]
    assert corpus.labels == ["pos", "neg", "neg"]
    assert corpus.place(2).endswith("train-00001-of-00002.parquet, row 1")
    frame.write_parquet(tmp_path / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"holds shards of test, train\. Name those of one: .*/train-\*\.parquet"):
        load(tmp_path)
    assert load(f"{tmp_path}/train-*.parquet").labels == corpus.labels


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    """A workbook in the least that its standard asks for, cells of text or numbers."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'

    def cell(value: Any) -> str:
        if value is None:
            return "<c/>"
        return f"<c><v>{value}</v></c>" if isinstance(value, int) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    files = {
        "_rels/.rels": f'<Relationships {rel}><Relationship Id="r" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{kind}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships {rel}>"
        + "".join(f'<Relationship Id="r{i}" Type="{kind}/worksheet" Target="s{i}.xml"/>' for i, _ in enumerate(sheets, 1))
        + "</Relationships>",
    }
    for i, rows in enumerate(sheets.values(), 1):
        body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        files[f"xl/s{i}.xml"] = f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>"
    return zipped(path, {name: content.encode() for name, content in files.items()})


def test_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one filled sheet, or the one named; blank rows at the end are none, and others keep their numbers."""
    pytest.importorskip("fastexcel")
    rows = [["text", "label"], ["good", 1], ["坏", 0], [None, None]]
    book = workbook(tmp_path / "one.xlsx", {"Data": rows, "Empty": []})
    corpus = load(book)
    assert (corpus.texts(range(2)), corpus.labels, corpus.label_type) == (["good", "坏"], [1, 0], "int")
    two = workbook(tmp_path / "two.xlsx", {"A": [*rows[:2], [None, None], ["fine", None]], "B": rows})
    with pytest.raises(DataError, match=r"two\.xlsx holds the sheets A, B\. Name one: .*two\.xlsx/A"):
        load(two)
    assert len(load(two / "B")) == 2
    with pytest.raises(DataError, match=r"two\.xlsx has no sheet 'C'\. It has: A, B"):
        load(two / "C")
    with pytest.raises(DataError, match="row 3: the label is missing"):
        load(two / "A")
    (tmp_path / "bad.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"bad\.xlsx: not a workbook, or a damaged one"):
        load(tmp_path / "bad.xlsx")
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(NotInstalled, match=r"pip install 'lossworks\[excel\]'"):
        load(book)


def test_standard_input_is_no_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip is read from its end, so not from stdin."""
    content = zipped(tmp_path / "x.zip", {"a.csv": WRITERS["csv"](A)}).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    with pytest.raises(DataError, match=r"stdin is an archive. Unpack it"):
        load("-")
