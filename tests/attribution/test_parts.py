"""What a text is divided into."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks import tokens
from lossworks.attribution.parts import spans_of
from lossworks.core.errors import UnknownName, UsageError


def parts(text: str, by: str, tokenizer: tokens.Tokenizer | None = None) -> list[str]:
    """The parts of a text."""
    spans = spans_of(text, by, None if tokenizer is None else tokenizer.spans)
    return [text[first:last] for first, last in spans.tolist()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's  good, isn't it?\n", ["It's", "good", ",", "isn't", "it", "?"]),
        ("这部电影 ok2", ["这", "部", "电", "影", "ok2"]),
        ("a👩‍👩‍👧b 🇩🇪🇫🇷", ["a", "👩‍👩‍👧", "b", "🇩🇪", "🇫🇷"]),
        ("cafe\u0301 नमस्ते", ["cafe\u0301", "नमस्ते"]),
        ("ขอบ", ["ข", "อ", "บ"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Runs of letters, single characters of scripts without spaces, whole emoji; white space is in none."""
    assert parts(text, "word") == words


@pytest.mark.parametrize(
    ("text", "chars"), [("ab c", ["a", "b", "c"]), ("e\u0301x", ["e\u0301", "x"]), ("👍🏽!", ["👍🏽", "!"]), ("각\r\n", ["각"])]
)
def test_characters(text: str, chars: list[str]) -> None:
    """What a reader takes for one character is one part."""
    assert parts(text, "char") == chars


def test_tokens() -> None:
    """The model's own; those that share a character are one."""
    characters = tokens.build("chars").learn([["ab é"]])
    assert parts("ab é", "token", characters) == ["a", "b", "é"]
    assert parts("aé 👍", "token", tokens.build("bytes").learn([["x"]])) == ["a", "é", "👍"]
    assert parts("", "token", characters) == []


def test_refused() -> None:
    """A model without tokens, and a division nobody knows."""
    with pytest.raises(UsageError, match="hashed n-grams"):
        spans_of("a", "token", None)
    with pytest.raises(UnknownName, match="Did you mean 'word'"):
        spans_of("a", "words", None)


def test_spans_rise() -> None:
    """Parts stand in order and never overlap."""
    spans = spans_of("नमस्ते, 世界! 👩‍👩‍👧 ok", "word", None)
    assert (spans[:, 0] < spans[:, 1]).all()
    assert (spans[1:, 0] >= spans[:-1, 1]).all()
    assert spans.dtype == np.int64
