"""Files that are not what they seem, damaged, or not there are called what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest
import zstandard

from lossworks.core.errors import DataError, LossworksError, UsageError
from lossworks.data import ReadOptions, load


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "x.csv is empty"),
        ("x.csv", b"\xef\xbb\xbf", "x.csv is empty"),
        ("x.csv", b"\n\n", "x.csv holds no rows"),
        ("x.csv", b"text,label\n", "x.csv holds no rows"),
        ("x.json", b" [ ]\n", "x.json holds no rows"),
        ("x.json", b'[{"text": "a"},\n{"text": "b', "the JSON array is damaged, cut off"),
        ("x.json", b'[{"text": "a"}]\n[{"text": "b"}]', "array is .* not all that the file holds .*trailing"),
        ("x.json", b'[{"text": "a"},\n{"text": "\xff"}]', "x.json, line 2: byte 0xFF is not UTF-8"),
        ("x.json", b'[{"a":' * 100_000, "the JSON array is damaged, .*(recursion|truncated)"),
        ("x.jsonl", b"[" * 100_000, r"none of its first lines is a JSON object \(line 1: .*(recursion|Stack overflow)"),
        ("x.jsonl", b"7\n8\n", "none of its first lines is a JSON object; wanted JSON lines, .* or an array"),
        ("x.jsonl", b"\n{a\n{b\n", r"none of its first lines is a JSON object \(line 2: JSON is malformed"),
        ("x", b"{'text': 'a'}\n", "none of its first lines is a JSON object"),
        ("x.csv", b"sep=;\n", "x.csv holds no rows"),
        ("x.parquet", b"PAR1 or not", "not a Parquet file"),
        ("x.txt", b"just words\nand more\n", "cannot tell the format of .* --format"),
        ("x.csv.gz", gzip.compress(b"text,label\na,b\n" * 99, mtime=0)[:-9], "compression is damaged or cut off"),
        ("x.csv.bz2", bz2.compress(b"text,label\na,b\n" * 99)[:-9], "compression is damaged or cut off"),
        ("x.csv.bz2", b"BZh91AY&SY" + bytes(99), "compression is damaged or cut off"),
        ("x.csv.xz", lzma.compress(b"text,label\na,b\n" * 99)[:-9], "compression is damaged or cut off"),
        ("x.csv.xz", lzma.compress(b"text,label\na,b\n" * 99)[:30] + bytes(99), "compression is damaged or cut off"),
        ("x.csv.zst", zstandard.ZstdCompressor().compress(b"text,label\na,b\n" * 99)[:-9], "damaged or cut off"),
    ],
)
def test_unusable_file(put, name, content, message):
    """A file without rows, or that is not what it seems."""
    with pytest.raises(DataError, match=message):
        load(put(name, content))


def _zip(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name), "text,label\n")
    return out.getvalue()


def _tar():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(tarfile.TarInfo("x.csv"))
    return out.getvalue()


ARCHIVES = [
    _tar(),
    gzip.compress(_tar(), mtime=0),
    gzip.compress(_zip("x.csv"), mtime=0),
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\7",
]
SHEETS = [
    _zip("[Content_Types].xml", "xl/workbook.xml"),
    _zip("xl/workbook.xml").replace(b"PK\x03\x04\x14", b"PK\x03\x04\n"),  # as zip's oldest version spells it
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
]
FOREIGN = [
    *((content, r"an archive\. Unpack it") for content in ARCHIVES),
    *((content, r"a workbook .*Save it there as CSV") for content in SHEETS),
    (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
]


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x"])
@pytest.mark.parametrize(("content", "what"), FOREIGN)
def test_no_text_inside(put, name, content, what):
    """Archives, workbooks and PDFs are called what they are, whatever their names, and no encoding is advised."""
    with pytest.raises(DataError, match=f"{name} is {what}") as caught:
        load(put(name, content))
    assert "--encoding" not in str(caught.value)


def test_paths_to_nothing(tmp_path):
    """A link whose target is gone says so; no path, and names that no file has, are errors of ours."""
    (tmp_path / "link.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"link\.csv is a link to gone\.csv, which is not there"):
        load(tmp_path / "link.csv")
    with pytest.raises(UsageError, match="path of the data is empty"):
        load("")
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "loop", "a\0b", "\ud800", "x" * 5000):
        with pytest.raises(DataError, match=r"cannot read|there is no file"):
            load(path)


def test_folder_that_cannot_be_read(put, monkeypatch):
    """A folder that lets nobody in is named."""
    put("set/pos/a.txt", "text")

    def closed(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.iterdir", closed)
    with pytest.raises(DataError, match=r"cannot read .*set: Permission denied"):
        load(put("set/pos/b.txt", "text").parent.parent)


def test_missing_file(put):
    """A missing file is named, with the one that was probably meant."""
    path = put("reviews.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"there is no file .*review\.csv\. Did you mean .*reviews\.csv"):
        load(path.with_name("review.csv"))


def test_folder_without_classes(put):
    """A folder must have a sub-folder per class; a folder inside one is a bad row."""
    path = put("set/a.txt", "text")
    with pytest.raises(DataError, match="folder without sub-folders"):
        load(path.parent)
    put("set/pos/deeper/a.txt", "text")
    with pytest.raises(DataError, match="deeper: a folder inside a class"):
        load(path.parent)


BITS = [
    b'"',
    b"\0",
    b"\r",
    b"\n",
    b"\t",
    b",",
    b";",
    b"{",
    b"[",
    b"\\ud800",
    b"1e999",
    b"__label__",
    b"\xff\xfe",
    b'{"a":' * 3000,
    b"sep=,\n",
]


@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "json", "fasttext"])
def test_mutilated_files(write, format, packing):
    """Whatever becomes of a file's bytes, it is read or refused with an error of ours."""
    path = write([("I love it", "good"), ('it "broke", twice', "bad"), ("meh; 產品", "good")] * 2, format, packing)
    whole = path.read_bytes()
    for seed in range(60):
        draw = random.Random(seed)
        at, cut = sorted(draw.randrange(len(whole) + 1) for _ in range(2))
        bit = draw.choice([*BITS, bytes([draw.randrange(256)])])
        path.write_bytes(whole[:at] + bit + whole[draw.choice([at, at + 1, cut, len(whole)]) :])
        options = ReadOptions(
            bad_rows=draw.choice(["error", "skip"]),
            unlabelled=draw.random() < 0.5,
            encoding=draw.choice(["utf-8", "utf-8", "utf-16", "gb18030"]),
        )
        try:
            load(path, options).close()
        except LossworksError as error:
            assert str(error)  # noqa: PT017  # the rest would be a traceback
