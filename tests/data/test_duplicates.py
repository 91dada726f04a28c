"""Held-out texts that stand among the training texts, word for word or nearly."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

from lossworks.data import TEST, duplicates, load
from lossworks.training import Settings
from lossworks.training.assembling import assemble
from lossworks.training.dataset import Dataset

WORDS = [f"word{n}" for n in range(400)]


def _text(rng: random.Random, words: int = 30) -> list[str]:
    return rng.choices(WORDS, k=words)


def _data(train: list[str], test: list[str]) -> Dataset:
    rows = [[(text, ("a", "b")[n % 2]) for n, text in enumerate(texts)] for texts in (train, test)]
    corpora = [load(part) for part in rows]
    return assemble(corpora, [None, TEST], "classify", None, Settings().valid, 0.1, 0)


def test_found() -> None:
    """Exact doubles, doubles but for case and two words of thirty are found; texts that share half their words are not."""
    rng = random.Random(0)
    train = [_text(rng) for _ in range(300)]
    exact, cased = " ".join(train[3]), " ".join(train[4]).upper()
    near = " ".join([*train[5][:29], "another"])
    half = " ".join(train[6][:15] + _text(rng, 15))
    others = [" ".join(_text(rng)) for _ in range(50)]
    data = _data([" ".join(words) for words in train], [exact, cased, near, half, *others])
    kept = np.flatnonzero(data.parts[:300] == 0)
    found = duplicates.find(data.corpora, data.parts)
    expected = [n for n, source in enumerate((3, 4, 5)) if source in kept]
    assert found.test_rows.tolist() == expected
    assert found.exact["test"] == int(3 in kept)
    assert found.near["test"] == len(expected) - found.exact["test"]
    assert [pair.likeness == 1 for pair in found.shown if pair.part == "test"] == [True, False, False][: len(expected)]
    assert all(data.texts(np.array([pair.of]))[0] == pair.original for pair in found.shown)


def test_agrees_with_every_pair() -> None:
    """Of texts at every likeness, those found near are those of four fifths or more by plain sets of n-grams."""
    rng = random.Random(1)
    train = [_text(rng, 40) for _ in range(120)]
    test = [[*words[:keep], *_text(rng, 40 - keep)] for words in train for keep in (34, 36, 38, 39)]
    data = _data([" ".join(words) for words in train], [" ".join(words) for words in test])
    trained = [set(_grams(train[n])) for n in np.flatnonzero(data.parts[:120] == 0)]
    expected = [
        n for n, words in enumerate(test) if max(_jaccard(set(_grams(words)), other) for other in trained) >= duplicates.NEAR
    ]
    found = duplicates.find(data.corpora, data.parts).test_rows.tolist()
    assert found == expected
    assert 40 < len(found) < len(test) - 40


def test_nothing_to_find() -> None:
    """Texts that share nothing, and texts of one character each, give no doubles but those that are."""
    data = _data([f"only{n} this{n}" for n in range(60)], ["other words", "x"])
    found = duplicates.find(data.corpora, data.parts)
    assert (found.exact, found.near, found.shown) == ({"valid": 0, "test": 0}, {"valid": 0, "test": 0}, [])


def _grams(words: list[str]) -> list[tuple[str, ...]]:
    """N-grams of one to three words, the text's ends counting as words in those of two and more, and the start with three."""
    marked = ["<", *words, ">"]
    longer = [tuple(marked[i : i + size]) for size in (2, 3) for i in range(len(marked) - size + 1)]
    return [*((word,) for word in words), *longer, tuple(marked[:4])]


def _jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)


@pytest.mark.skipif("LOSSWORKS_DATA" not in os.environ, reason="LOSSWORKS_DATA names no folder of real text")
def test_trec() -> None:
    """Of TREC's 500 test questions ten stand in its training file word for word, and one but for its capitals."""
    corpora = []
    for part in ("train", "test"):
        lines = (Path(os.environ["LOSSWORKS_DATA"]) / f"trec/TREC.{part}").read_text("latin-1").split("\n")
        pairs = [line.partition(" ")[::2] for line in lines if line.strip()]
        corpora.append(load([(text.strip(), label.partition(":")[0]) for label, text in pairs]))
    data = assemble(corpora, [None, TEST], "classify", None, 0.0, 0.1, 0)
    found = duplicates.find(data.corpora, data.parts)
    assert (found.exact["test"], found.near["test"]) == (10, 1)
    assert found.shown[-1].text == "What are the twin cities ?"


def test_within_one_corpus() -> None:
    """Rows that another row is like, word for word or nearly; a row is not like itself, and texts without words only if equal."""
    rng = random.Random(2)
    texts = [" ".join(_text(rng)) for _ in range(60)]
    texts += [texts[3], texts[4].upper(), f"{texts[5]} more", "…", "…", " ".join(_text(rng, 2))]
    assert duplicates.within(load([(text, "a") for text in texts])).tolist() == [3, 4, 5, 60, 61, 62, 63, 64]
