"""Texts as tokens in their order: the mark first, cut at the context, and told of where they were cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lossworks import tokens
from lossworks.core.errors import DataError
from lossworks.data import OrderedFeatures

TEXTS = ["the good phone", "", "the bad phone is not the good phone", "phone", "好 phone"]
NOTHING = torch.empty(0)
SPECS = ["words", "chars", "bytes", "bpe:size=270"]


def learnt(spec: str = "words", context: int = 5, texts: list[str] = TEXTS, use: list[bool] | None = None) -> OrderedFeatures:
    """Features whose training texts are those marked in ``use``, and which have seen all."""
    features = OrderedFeatures(tokens.build(spec), context)
    training = use or [True] * len(texts)
    features.prepare([[text for text, mine in zip(texts, training, strict=True) if mine]])
    counter = features.counter()
    for text, mine in zip(texts, training, strict=True):
        counter.add(features.read([text]), np.array([mine]))
    features.learn(counter)
    return features


def rows(features: OrderedFeatures, texts: list[str]) -> list[list[int]]:
    """The tokens that a network is given of each text."""
    batch = features.select(features.read(texts)).batch(np.arange(len(texts)), NOTHING, NOTHING)
    assert not len(batch.values)
    return [batch.ids[a:b].tolist() for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("count", [1, 3])
def test_mark_then_tokens(spec: str, count: int, threads: Callable[[int], None]) -> None:
    """The mark of the start, then the tokenizer's own tokens, as many as the context has room for; on any number of threads."""
    threads(count)
    features = learnt(spec, context=7)
    for text, row in zip(TEXTS, rows(features, TEXTS), strict=True):
        wanted = [features.tokenizer.vocabulary.start, *features.tokenizer.encode([text])[0].tolist()]
        assert row == wanted[:7]
    assert len(features) == features.tokenizer.vocabulary.size
    assert rows(features, []) == []


def test_rows_in_any_order() -> None:
    """A batch has the rows that it is asked for, in that order."""
    features = learnt()
    selected = features.select(features.read(TEXTS))
    batch = selected.batch(np.array([3, 0]), NOTHING, NOTHING)
    assert batch.offsets.tolist() == [0, 2, 6]
    assert batch.ids.tolist() == [*rows(features, ["phone"])[0], *rows(features, TEXTS[:1])[0]]


def test_told_of_cut_texts() -> None:
    """Only texts of more tokens than there is room for are said to be cut, none of just as many."""
    assert learnt(context=9).notes == ()
    (note,) = learnt(context=8).notes
    assert note.startswith("1 of 5 texts are longer than the context, 8 tokens")
    assert learnt(context=3).notes[0].startswith("2 of 5 texts")


def test_told_of_unknown_tokens() -> None:
    """Tokens of held-out texts that training has not seen are counted, the marks not; what cannot be unknown is not spoken of."""
    use = [True, True, False, True, True]
    features = learnt(context=99, use=use)
    assert features.notes == ("38 % of the tokens of held-out texts are unknown to the tokenizer, all read as one",)  # 3 of 8
    assert rows(features, ["not 好"])[0] == [1, 0, rows(features, ["好"])[0][1]]
    assert learnt("bytes", context=99, use=use).notes == ()
    assert "unknown" in learnt("chars", context=99, use=use).notes[0]


@pytest.mark.parametrize("spec", SPECS)
def test_saved(spec: str, tmp_path: Path) -> None:
    """What was saved reads texts as before."""
    features = learnt(spec)
    arrays = features.save(tmp_path)
    loaded = OrderedFeatures(tokens.build(spec), 5)
    loaded.load(tmp_path, arrays)
    strange = [*TEXTS, "ζζζ \ud800", "the " * 100]
    assert rows(loaded, strange) == rows(features, strange)
    assert len(loaded) == len(features)


def test_nothing_to_learn() -> None:
    """Training texts without a word are refused."""
    with pytest.raises(DataError, match="nothing to learn"):
        learnt(texts=["", " \n"])
