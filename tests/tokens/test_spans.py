"""Where tokens stand in their text."""

from __future__ import annotations

import json

import pytest

from lossworks import tokens

TEXT = " the cat  sat\n on é 电池 🙂 mat "
LEARNT = [["the cat sat on é é é 电池 电池 mat", TEXT] * 3]


@pytest.mark.parametrize("spec", ["chars", "bytes", "bpe:size=300", "bpe:size=280"])
@pytest.mark.parametrize("text", [TEXT, "", " ", "é", "unseen 𐍈 text"])
def test_lossless(spec: str, text: str) -> None:
    """One place a token; together they cover the text, in order, and each whole character is its own token's spelling."""
    learnt = tokens.build(spec).learn(LEARNT)
    ids, spans = learnt.encode([text])[0], learnt.spans(text)
    assert len(ids) == len(spans)
    if not text:
        return
    assert (spans[0, 0], spans[-1, 1]) == (0, len(text))
    assert (spans[1:, 0] <= spans[:-1, 1]).all()
    assert (spans[:, 0] < spans[:, 1]).all()
    for token, (first, last) in zip(ids.tolist(), spans.tolist(), strict=True):
        part = learnt.decode([token])
        assert "\ufffd" in part or part == text[first:last]


def test_shared_characters() -> None:
    """Tokens that share a character have it each."""
    learnt = tokens.build("bytes").learn([])
    assert learnt.spans("aé🙂").tolist() == [[0, 1], *[[1, 2]] * 2, *[[2, 3]] * 4]


def test_spaces_of_ascii() -> None:
    """Where they alone part words, any other white space is part of one."""
    text = "a\u00a0b\t\u3000\r\n c\fd \u2028"
    learnt = tokens.build("words:ascii=true").learn([[text]])
    assert [text[first:last] for first, last in learnt.spans(text)] == ["a\u00a0b", "\u3000", "c\fd", "\u2028"]
    assert 0 not in learnt.encode([text])[0].tolist()
    assert tokens.build("words").learn([[text]]).vocabulary.size == 3 + len(text.split())


@pytest.mark.parametrize("spec", ["words", "words:min_count=2,lower=true"])
def test_words(spec: str) -> None:
    """Words stand where ``split`` finds them, known or not, in whatever case."""
    learnt = tokens.build(spec).learn(LEARNT)
    text = " The  cat\tsat on Zebras\n"
    spans = learnt.spans(text).tolist()
    assert [text[first:last] for first, last in spans] == text.split()
    assert len(learnt.encode([text])[0]) == len(spans)


def test_the_librarys_own_places() -> None:
    """A tokenizer that changes the text first has the places that the library tells."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(["the cat sat"] * 3, trainers.BpeTrainer(special_tokens=["<unk>"], show_progress=False))
    learnt = tokens.build("bpe").restore(json.loads(made.to_str()))
    text = "The CAT  sat"
    assert [text[first:last] for first, last in learnt.spans(text).tolist()] == ["The", "CAT", "sat"]
