"""UTF-8 by default, any encoding by name, and the first bad byte's line when the guess is wrong."""

from __future__ import annotations

import codecs
import encodings.aliases
import pkgutil

import pytest

from lossworks.core.errors import DataError, LossworksError, UsageError
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
    with pytest.raises(DataError, match=rf"{name}, line 3: byte 0xE9 is not UTF-8.* --encoding cp1252"):
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


NAMES = {*encodings.aliases.aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))}
NO_TEXT = {"rot13", "hex", "zlib", "base64", "bz2", "uu", "quopri", "punycode", "idna", "undefined", "aliases"}


@pytest.mark.parametrize("name", [*sorted(NO_TEXT), "utf-9", "", "a\0b", "\ud800"])
def test_no_text_encoding(name):
    """Codecs that are none of text, or that cannot be read bit by bit, are refused like unknown ones."""
    with pytest.raises(UsageError, match=r"unknown encoding .* Common ones: utf-8"):
        ReadOptions(encoding=name)


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence:DeprecationWarning")
def test_every_codec(put):
    """Whatever codec Python has is read with or refused, whatever the bytes."""
    known = {codecs.lookup(name).name for name in NAMES if _taken(name)}
    assert len(known) > 90
    assert not known & NO_TEXT
    for content in (b"text,label\na\\d\\ud800,x\n+2AA-,y\n~{a\xff\n", b"\xff\xfea\x1b$B\xd8\x00\xdc\x80\x81\n", b"\0"):
        path = put("x.txt", content)
        for name in known:
            try:
                load(path, ReadOptions(encoding=name, unlabelled=True))
            except LossworksError as error:
                assert str(error).startswith(str(path))  # noqa: PT017  # the place comes first


def _taken(name):
    try:
        return bool(ReadOptions(encoding=name))
    except UsageError:
        return False


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_no_byte_order_mark(put, encoding):
    """UTF-16 and UTF-32 without a mark are told to say their order, which then works."""
    path = put("x.csv", TABLE.encode(f"{encoding}-be"))
    with pytest.raises(
        DataError, match=rf"x\.csv does not begin with the byte-order mark .*--encoding {encoding}-le, or {encoding}-be"
    ):
        load(path, ReadOptions(encoding=encoding))
    assert load(path, ReadOptions(encoding=f"{encoding}-be")).texts([0]) == ["café 好"]


def test_lone_surrogate(put):
    """Encodings that can spell half a character are told where they do."""
    with pytest.raises(DataError, match=r"line 2: a lone surrogate, U\+D800"):
        load(put("x.csv", b"text,label\n+2AA-,y\n"), ReadOptions(encoding="utf-7"))


def test_no_text_at_all(put):
    """Bytes with NULs are hardly Latin-1."""
    with pytest.raises(DataError, match="byte 0x89 is not UTF-8, and NUL bytes stand near it: this is no text"):
        load(put("x.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\n"))
