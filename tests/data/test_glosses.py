"""Descriptions of entities from files and dicts, bad ones named; permuted; as bags of words."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lossworks.core.errors import DataError
from lossworks.data.glosses import bags, permuted, read_glosses, words_of


def test_read(tmp_path: Path) -> None:
    """A line is an entity, a tab and what may hold tabs; blank descriptions and lines are none; said twice is said once."""
    text = 'a\tan "animal\tthat\n\nb\t  \nc d\tz\na\tan "animal\tthat\n'
    (tmp_path / "g.tsv").write_text(text)
    (tmp_path / "g.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("g.tsv", "g.txt.gz"):
        assert read_glosses(tmp_path / name) == {"a": 'an "animal\tthat', "c d": "z"}
    assert read_glosses({"a": "x", "b": " "}) == {"a": "x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\nb x\n", "line 2: 'b x' is no description"),
        ("a\tx\n\tx\n", "line 2: .* is no description"),
        ("a\tx\nb\ty\na\tz\n", "line 3: the entity 'a' has another description"),
    ],
)
def test_bad(tmp_path: Path, text: str, message: str) -> None:
    """Named by their lines."""
    (tmp_path / "g.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_glosses(tmp_path / "g.tsv")


def test_permuted() -> None:
    """The same entities and descriptions, others' for nearly all; a function of the seed."""
    glosses = {f"e{i}": f"text {i}" for i in range(50)}
    found = permuted(glosses, 1)
    assert (found.keys(), sorted(found.values())) == (glosses.keys(), sorted(glosses.values()))
    assert sum(found[name] == text for name, text in glosses.items()) < 5
    assert permuted(dict(reversed(glosses.items())), 1) == found != permuted(glosses, 2)


def test_words() -> None:
    """Words of two descriptions or more; the weights of a description have length 1, the rare word's the largest."""
    reading, texts = words_of(["red dog", "red Cat, dog", "", "red cow"])
    assert (len(reading), texts.lengths.tolist()) == (2, [2, 2, 0, 1])
    assert np.square(texts.values[:2]).sum() == pytest.approx(1)
    again = bags(reading, ["a DOG that is red"])
    weight = dict(zip(again.ids.tolist(), again.values.tolist(), strict=True))
    red, dog = texts.ids[texts.starts[3]], next(iter(set(texts.ids[:2].tolist()) - {int(texts.ids[texts.starts[3]])}))
    assert weight[dog] > weight[int(red)]
    assert len(bags(reading, ["cow"]).ids) == 0
    with pytest.raises(DataError, match="occurs in 2 training texts or more"):
        words_of(["a b", "c", ""])
