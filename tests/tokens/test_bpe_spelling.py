"""How tokens of byte-pair encoding are shown."""

from __future__ import annotations

from tokenizers import pre_tokenizers

from lossworks import tokens
from lossworks.tokens.byte_names import BYTE_OF


def test_names_of_bytes() -> None:
    """The table has the library's own alphabet, and every byte once."""
    assert set(BYTE_OF) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(BYTE_OF.values()) == list(range(256))


def test_spelled_apart() -> None:
    """Every token has a spelling of its own; part of a character is its bytes, a character itself."""
    learnt = tokens.build("bpe:size=270").learn([["é é é 电池 电池 🙂 🙂 a\u0085 b"] * 5])
    spelled = [learnt.spelling(token) for token in range(learnt.vocabulary.size)]
    assert len(set(spelled)) == len(spelled)
    assert {"é", "\\xe9", "\\xc3", "a"} <= set(spelled)
