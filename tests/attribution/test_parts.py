"""What a text is divided into."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks import tokens
from lossworks.attribution.parts import _joining, divided, spans_in, spans_of
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
        ("a \u0301\u200bb", ["a", " \u0301", "b"]),
        ("", []),
        (" \t\n\u200b\ue000", []),
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


ALPHABET = "aZ9_' \n\r\u3000.!我のฉั한👍🏽👩\u200d\u0301\u200b\ud800İ\ufe0f\ue000🇩🇪"


def seen(character: str) -> bool:
    """Whether a reader sees it."""
    return unicodedata.category(character)[0] not in "ZC" or ord(character) >= 0x40000  # where nothing has a name


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from(ALPHABET), max_size=12), max_size=4), st.sampled_from(["word", "char"]))
def test_every_visible_character_is_in_one_part(texts: list[str], by: str) -> None:
    """In order, none without one that is visible, and the same for texts together as for each alone."""
    for text, spans in zip(texts, spans_in(texts, by, None), strict=True):
        assert spans.tolist() == spans_of(text, by, None).tolist()
        owners = [sum(first <= at < last for first, last in spans.tolist()) for at in range(len(text))]
        assert all(owner == 1 if seen(character) else owner <= 1 for owner, character in zip(owners, text, strict=True))
        assert all(any(map(seen, text[first:last])) for first, last in spans.tolist())
        assert (spans[1:, 0] >= spans[:-1, 1]).all()


@settings(max_examples=150, deadline=None)
@given(st.text(st.one_of(st.sampled_from(ALPHABET + "각각\u0600\U000e0101क्ष"), st.characters(codec=None)), max_size=9))
def test_characters_are_clusters(text: str) -> None:
    """Those that the library finds, one by one; but for those that nobody sees."""
    wanted = [found.span() for found in regex.finditer(r"\X", text) if any(map(seen, found.group()))]
    assert [tuple(span) for span in spans_of(text, "char", None).tolist()] == wanted


def test_what_joins() -> None:
    """No code point that is left out of the look-up makes one cluster with a letter, an ideograph, a syllable or an emoji."""
    every = [chr(code) for code in range(0x20, 0x110000, 23) if not _joining()[code]]
    for other in "a中각👍":
        text = other + other.join(every) + other
        assert sum(1 for _ in regex.finditer(r"\X", text)) == len(text)


def test_a_token_that_nobody_sees() -> None:
    """It is no part."""
    characters = tokens.build("chars").learn([["a\u200b "]])
    assert parts("a\u200b a", "token", characters) == ["a", "a"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_divided(data: st.DataObject) -> None:
    """Amounts on places of texts, shared equally among their visible characters, against plain sums."""
    texts = data.draw(st.lists(st.text(st.sampled_from(ALPHABET), max_size=9), max_size=4))
    spans = spans_in(texts, data.draw(st.sampled_from(["word", "char"])), None)
    amounts, places, sizes, wanted, begin = [], [], [], [], 0
    for text, own in zip(texts, spans, strict=True):
        shares = [0.0] * len(own)
        sizes.append(data.draw(st.integers(0, 5)))
        for _ in range(sizes[-1]):
            first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
            amounts.append(data.draw(st.floats(-9, 9)))
            places.append((begin + first, begin + last))
            among = [at for at in range(first, last) if seen(text[at])]
            after = [part for part, (_, end) in enumerate(own.tolist()) if end > first]
            for at in among:
                shares[next(part for part, (a, b) in enumerate(own.tolist()) if a <= at < b)] += amounts[-1] / len(among)
            if not among and shares:
                shares[after[0] if after else -1] += amounts[-1]
        wanted.append(shares)
        begin += len(text)
    which = np.cumsum([0, *sizes])[:-1].astype(np.int64), np.array(sizes, np.int64)
    found = divided(np.array(amounts, float), np.array(places, np.int64).reshape(-1, 2), which, texts, spans)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
