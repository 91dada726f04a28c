"""UTF-8 by default, any encoding by name, and the first bad byte's line when the guess is wrong."""

from __future__ import annotations

import codecs

import pytest

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, load

TABLE = "text,label\ncafé 好,a\nñandú,b\n"
LATIN = "text,label\nplain,a\ncaf\u00e9,b\nnext\u0085line,a\n"


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_byte_order_mark(put, name):
    """A UTF-8 byte-order mark is no part of the first column's name."""
    content = TABLE if name == "x.csv" else '{"text": "café 好", "label": "a"}\n'
    assert load(put(name, codecs.BOM_UTF8 + content.encode())).texts([0]) == ["café 好"]


@pytest.mark.parametrize("chunk", [3, 1 << 18])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", LATIN.encode("latin-1")),
        ("x.tsv", LATIN.replace(",", "\t").encode("latin-1")),
        ("x.ft", "__label__a 1\n__label__b 2\n__label__a caf\u00e9\n".encode("latin-1")),
        ("x.jsonl", b'{"text":"a","label":"x"}\n{"text":"b","label":"y"}\n{"text":"caf\xe9","label":"y"}\n'),
    ],
)
def test_first_bad_byte(put, name, content, chunk, monkeypatch):
    """The error names file, line, byte and remedy, and the remedy works."""
    path = put(name, content)
    monkeypatch.setattr("lossworks.data.sources.CHUNK", chunk)
    with pytest.raises(DataError, match=rf"{name}, line 3: byte 0xE9 is not UTF-8.* --encoding latin-1"):
        load(path, ReadOptions(bad_rows="skip"))
    assert "caf\u00e9" in next(load(path, ReadOptions(encoding="latin-1")).blocks())


def test_nel_ends_no_line(put):
    """NEL stands inside lines of real Latin-1 text."""
    assert load(put("x.csv", LATIN.encode("latin-1")), ReadOptions(encoding="latin-1")).texts([2]) == ["next\u0085line"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "gb18030", "utf-8-sig"])
def test_other_encodings(put, encoding, monkeypatch):
    """Encodings of several bytes a character work across chunks; UTF-16 and 32 are known by their marks."""
    monkeypatch.setattr("lossworks.data.sources.CHUNK", 5)
    path = put("x.csv", TABLE.encode(encoding))
    assert load(path, ReadOptions(encoding=encoding)).texts([0, 1]) == ["café 好", "ñandú"]
    if encoding in ("utf-16", "utf-32"):
        with pytest.raises(DataError, match=rf"begins like {encoding.upper()}.* --encoding {encoding}"):
            load(path)


def test_wrong_encoding_named(put):
    """A wrong encoding that was asked for is named with its line too."""
    path = put("x.csv", TABLE)
    with pytest.raises(DataError, match=r"line 2: byte 0xC3 is not ASCII.* --encoding utf-8"):
        load(path, ReadOptions(encoding="ascii"))
