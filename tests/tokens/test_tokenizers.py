"""Tokenizers: what they are learnt from, round trips of any text, their files, and what they make of odd ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks import tokens
from lossworks.core.errors import DataError, RecordError, UnknownName, UsageError
from lossworks.tokens import Tokenizer

ODD = ["\u0085 NEL\u2028line \x00\x1f control", "深山 見鹿 👩‍👩‍👧"]
TEXTS = ["the cat sat\u00a0on the mat", "The  dog\tsat", "", *ODD, "<unk> again"]
KINDS = ["words", "words:lower=true,min_count=2", "chars", "bytes", "bpe:size=300"]
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def learnt(spec: str, texts: list[str] | None = None) -> Tokenizer:
    """A tokenizer learnt from a few odd texts."""
    return tokens.build(spec).learn([TEXTS if texts is None else texts])


def test_registered() -> None:
    """The five kinds are found by walking the folder; each says where it is from."""
    assert [entry.name for entry in tokens.tokenizers] == ["bpe", "bytes", "chars", "parity_bpe", "words"]
    assert all(entry.source and entry.summary for entry in tokens.tokenizers)


@pytest.mark.parametrize("spec", KINDS)
def test_rows(spec: str) -> None:
    """Texts are encoded each as if alone; ids are in the narrowest type, below the vocabulary's size, and never marks."""
    tokenizer = learnt(spec)
    ids, offsets = tokenizer.encode(TEXTS)
    assert len(offsets) == len(TEXTS) + 1
    assert ids.dtype == np.uint16 == tokenizer.dtype
    assert (ids < tokenizer.vocabulary.size).all()
    assert not np.isin(ids, [tokenizer.vocabulary.start, tokenizer.vocabulary.end]).any()
    for row, text in enumerate(TEXTS):
        assert ids[offsets[row] : offsets[row + 1]].tolist() == tokenizer.encode([text])[0].tolist()
    assert len(tokenizer.encode([])[0]) == 0


@pytest.mark.parametrize("spec", KINDS)
def test_saved(spec: str, tmp_path: Path) -> None:
    """What is saved reads back to the same numbers and spellings."""
    tokenizer = learnt(spec)
    tokenizer.save(tmp_path / "tokenizer.json")
    again = tokens.load(tmp_path / "tokenizer.json")
    assert again.vocabulary == tokenizer.vocabulary
    assert again.lossless == tokenizer.lossless
    assert again.encode(TEXTS)[0].tolist() == tokenizer.encode(TEXTS)[0].tolist()
    assert [again.spelling(i) for i in range(again.vocabulary.size)] == [
        tokenizer.spelling(i) for i in range(again.vocabulary.size)
    ]


@given(ANY)
@settings(max_examples=80, deadline=None)
def test_bytes_and_pairs_are_lossless(text: str) -> None:
    """Any text at all comes back from bytes and from byte pairs, marks spelled in it too."""
    for tokenizer in (_BYTES, _BPE):
        for odd in (text, f"<s>{text}</s><unk>"):
            assert tokenizer.decode(tokenizer.encode([odd])[0]) == odd


@given(st.lists(ANY, max_size=4))
@settings(max_examples=80, deadline=None)
def test_chars_are_lossless_of_what_they_know(texts: list[str]) -> None:
    """Characters that were learnt come back; a character is one token."""
    tokenizer = learnt("chars", [*texts, "x"])
    for text in texts:
        ids = tokenizer.encode([text])[0]
        assert len(ids) == len(text)
        assert tokenizer.decode(ids) == text


@given(st.lists(ANY, max_size=4))
@settings(max_examples=80, deadline=None)
def test_words_are_what_split_says(texts: list[str]) -> None:
    """Words are those of ``str.split``, for every kind of white space there is."""
    tokenizer = learnt("words", [*texts, "x"])
    ids, offsets = tokenizer.encode(texts)
    for row, text in enumerate(texts):
        wanted = [word if word not in ("<s>", "</s>") else "<unk>" for word in text.split()]
        assert [tokenizer.spelling(int(i)) for i in ids[offsets[row] : offsets[row + 1]]] == wanted


def test_words_by_frequency(threads: Callable[[int], None]) -> None:
    """The most frequent words come first, those too rare are unknown, on any number of threads."""
    texts = ["b a a", "c b a", "d <unk> B"] * 50
    counts = Counter(" ".join(texts).split())
    for count in (1, 2, 4):
        threads(count)
        whole = learnt("words", texts)
        assert [whole.spelling(i) for i in range(7)] == ["<unk>", "<s>", "</s>", "a", "b", "B", "c"]
        assert whole.vocabulary.size == 3 + len(set(counts) - {"<unk>"})
        assert learnt("words:max_size=2", texts).encode(["a b c <unk> zz"])[0].tolist() == [3, 4, 0, 0, 0]
        assert learnt("words:min_count=60", texts).vocabulary.size == 5
    assert (
        learnt("words:lower=true", texts).encode(["B"])[0].tolist() == learnt("words:lower=true", texts).encode(["b"])[0].tolist()
    )


def test_many_words() -> None:
    """More words than a table begins with room for; each keeps its own number, and ids become wider."""
    words = [f"w{i}" for i in range(70_000)]
    tokenizer = tokens.build("words").learn([words[first : first + 9000] for first in range(0, len(words), 9000)])
    ids, _ = tokenizer.encode([" ".join(words)])
    assert tokenizer.vocabulary.size == 70_003
    assert ids.dtype == np.uint32
    assert [tokenizer.spelling(int(i)) for i in ids[::1001]] == words[::1001]
    assert len(np.unique(ids)) == len(words)


def test_marks_within_text() -> None:
    """Marks of start and end within words are the unknown word, and that is said once."""
    tokenizer = learnt("words", ["a <s> b </s>", "</s>"])
    assert tokenizer.encode(["a <s> </s>"])[0].tolist() == [3, 0, 0]
    (note,) = tokenizer.notes
    assert "3 times" in note
    assert learnt("words", ["a b"]).notes == ()


def test_unknown_character() -> None:
    """An unknown character reads as the replacement character."""
    tokenizer = learnt("chars:min_count=2", ["aab"])
    assert tokenizer.encode(["ab"])[0].tolist() == [3, 0]
    assert tokenizer.decode([3, 0]) == "a\ufffd"


def test_foreign(tmp_path: Path) -> None:
    """A file of the library keeps its own numbers; marks it lacks come after its last, and unknown is its own."""
    from tokenizers import Tokenizer as Library
    from tokenizers import models, pre_tokenizers

    made = Library(models.WordLevel({"[UNK]": 4, "a": 0, "b": 1, "[SEP]": 2, "c": 3}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "theirs.json"))
    theirs = tokens.named(str(tmp_path / "theirs.json"))
    assert isinstance(theirs, Tokenizer)
    assert theirs.encode(["b a zz"])[0].tolist() == [1, 0, 4]
    assert (theirs.vocabulary.size, theirs.vocabulary.start, theirs.vocabulary.end, theirs.vocabulary.unknown) == (6, 5, 2, 4)
    assert (theirs.spelling(5), theirs.spelling(2), theirs.spelling(1)) == ("<s>", "</s>", "b")
    assert not theirs.lossless


@pytest.mark.parametrize(
    "spec", ["words:min_count=0", "words:max_size=0", "chars:min_count=0", "bpe:size=100", "bytes:size=3", "word"]
)
def test_refused(spec: str) -> None:
    """Values outside their domain, and names nobody knows."""
    with pytest.raises(UsageError) as caught:
        tokens.build(spec)
    assert isinstance(caught.value, UnknownName) == (spec == "word")


@pytest.mark.parametrize("spec", ["words", "chars"])
def test_nothing_to_learn(spec: str) -> None:
    """No texts, or texts without any token."""
    with pytest.raises(DataError, match="nothing to learn"):
        tokens.build(spec).learn([[""], []])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"format": 2, "tokenizer": "words", "words": []}', '{"format": 1, "tokenizer": "nobody"}', "null",
     '{"format": 1, "tokenizer": "words", "words": ["a b"]}', '{"format": 1, "tokenizer": "words", "words": ["a", "a"]}',
     '{"format": 1, "tokenizer": "words", "words": [1]}', '{"format": 1, "tokenizer": "words"}', '{"model": 3}',
     '{"format": 1, "tokenizer": "chars", "characters": "ba"}', '{"format": 1, "tokenizer": "chars", "characters": ["ab"]}',
     '{"format": 1, "tokenizer": 7}'],
)  # fmt: skip
def test_damaged(content: str, tmp_path: Path) -> None:
    """Any other content is refused with the file's name."""
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"tokenizer\.json"):
        tokens.load(path)


@pytest.mark.parametrize("spec", KINDS)
def test_cut_short(spec: str, tmp_path: Path) -> None:
    """A file cut anywhere is refused."""
    path = tmp_path / "tokenizer.json"
    learnt(spec).save(path)
    whole = path.read_bytes().rstrip()
    json.loads(whole)
    for share in (0.0, 0.3, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(RecordError):
            tokens.load(path)


_BYTES, _BPE = learnt("bytes"), learnt("bpe:size=300")
