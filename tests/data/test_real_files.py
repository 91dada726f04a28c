"""Real files, where they are at hand: the folder is named by the variable LOSSWORKS_DATA."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, infer_task, load, split

pytestmark = pytest.mark.skipif("LOSSWORKS_DATA" not in os.environ, reason="LOSSWORKS_DATA names no folder of real text")
DATA = Path(os.environ.get("LOSSWORKS_DATA", "."))


def test_ag_news():
    """Three columns without a header, given by number."""
    corpus = load(DATA / "ag-news/ag_news_test.csv", ReadOptions(text=(2, 3), label=1))
    assert Counter(corpus.labels) == dict.fromkeys("1234", 1900)
    assert corpus.texts([0])[0].startswith("Fears for T N pension after talks Unions representing")
    assert infer_task(corpus.labels)[0] == "classify"
    with pytest.raises(DataError, match="which column holds the text"):
        load(DATA / "ag-news/ag_news_test.csv")


@pytest.mark.parametrize(("part", "count"), [("pos", 5331), ("neg", 5331)])
def test_movie_reviews(part, count):
    """Latin-1, one sentence a line, with NEL inside lines."""
    path = DATA / f"movie-reviews/rt-polarity.{part}"
    raw = path.read_bytes().split(b"\n")
    bad = next(i for i, line in enumerate(raw, 1) if not _is_utf8(line))
    with pytest.raises(DataError, match=rf"line {bad}: byte 0x.. is not UTF-8.*cp1252"):
        load(path, ReadOptions(unlabelled=True, format="lines"))
    corpus = load(path, ReadOptions(unlabelled=True, encoding="latin-1"))
    assert len(corpus) == count
    assert corpus.texts([bad - 1])[0] == raw[bad - 1].decode("latin-1")


def test_trec():
    """Latin-1 questions; their labels end at the first space, and some stand in train twice."""
    corpus = load(DATA / "trec/TREC.train", ReadOptions(unlabelled=True, format="lines", encoding="latin-1"))
    lines = [line.partition(" ") for line in corpus.texts(range(len(corpus)))]
    pairs = load([(text, label.partition(":")[0]) for label, _, text in lines])
    assert len(pairs) == 5452
    parts = split(pairs, "classify")
    assert len(set(zip(pairs.keys.tolist(), parts.tolist(), strict=True))) == len(set(pairs.keys.tolist())) < 5452


def test_poetry():
    """Three columns of JSON lines, of which the text is found and the label named."""
    corpus = load(DATA / "poetry.jsonl", ReadOptions(label="dynasty"))
    assert len(corpus) == 311_828
    assert set(corpus.labels) == {"tang", "song"}


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
