"""Plain text without labels: by lines, by paragraphs, or whole, over the borders of blocks too."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions, load, sources

TEXT = "\n\none\ntwo, and\tmore\n \nthree\r\n\n\nfour\nfive"


def read(path: Path, texts: str | None, **more: str) -> list[str]:
    """The texts of a file."""
    corpus = load(path, ReadOptions(unlabelled=True, texts=texts, **more))  # type: ignore[arg-type]
    return [text for block in corpus.blocks() for text in block]


@pytest.fixture(params=["plain", "packed", "small chunks"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The text in a file, packed, or read a few bytes at a time."""
    name = tmp_path / ("text.txt.gz" if request.param == "packed" else "text.txt")
    name.write_bytes(gzip.compress(TEXT.encode()) if request.param == "packed" else TEXT.encode())
    if request.param == "small chunks":
        monkeypatch.setattr(sources, "CHUNK", 7)
    return name


def test_lines(path: Path) -> None:
    """Lines without the blank ones; where they are asked for, a blank one is a bad row."""
    assert read(path, "line") == ["one", "two, and\tmore", "three", "four", "five"]
    with pytest.raises(DataError, match="line 1: the text is empty"):
        read(path, None)


def test_paragraphs(path: Path) -> None:
    """What blank lines part, each from its first line on."""
    assert read(path, "paragraph") == ["one\ntwo, and\tmore", "three", "four\nfive"]
    corpus = load(path, ReadOptions(unlabelled=True, texts="paragraph"))
    assert [corpus.place(row).partition(", ")[2] for row in range(3)] == ["line 3", "line 6", "line 9"]


def test_whole(path: Path) -> None:
    """Pieces that give back every character."""
    pieces = read(path, "file")
    assert "".join(pieces) == TEXT
    assert all(map(str.strip, pieces))


def test_fields_and_braces_are_prose(tmp_path: Path) -> None:
    """Lines are JSON if most are objects; told that it is plain text, no line is taken for a table or JSON."""
    for text in ('{"a": 1}\nprose\nmore\n', "{\n  int x;\n}\n", "{wow}, he said\n", "[verse 1]\nla\n"):
        (tmp_path / "a.txt").write_text(text)
        assert read(tmp_path / "a.txt", "line") == text.split("\n")[:-1]
    (tmp_path / "a.txt").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert read(tmp_path / "a.txt", "line") == ["a", "b"]
    (tmp_path / "a.txt").write_text('{"a": 1}\n__label__x y\na,b\n')
    assert read(tmp_path / "a.txt", "paragraph") == ['{"a": 1}\n__label__x y\na,b']
    assert read(tmp_path / "a.txt", "line", format="lines")[0] == '{"a": 1}'


def test_refused(tmp_path: Path) -> None:
    """A blank file; paragraphs of a table; a kind nobody knows."""
    (tmp_path / "a.txt").write_text(" \n\n")
    for texts in ("line", "paragraph", "file"):
        with pytest.raises(DataError):
            read(tmp_path / "a.txt", texts)
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    with pytest.raises(UsageError, match="plain text"):
        read(tmp_path / "a.csv", "file")
    with pytest.raises(UsageError, match="kind of texts"):
        ReadOptions(texts="word")
