"""Lexicons: which words are found, how files are read, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lossworks.core.errors import DataError, RecordError, UsageError
from lossworks.fusion.lexicon import LexiconSource
from lossworks.tasks import label_task

TASK = label_task("classify", ("neg", "neutral", "pos"))
WORDS = "word,label\ngood,pos\nnot good,neg\nbad,neg\n"


def _opened(folder: Path, text: str, name: str = "words.csv") -> LexiconSource:
    path = folder / name
    path.write_text(text, "utf-8")
    return LexiconSource.open(str(path), TASK)


def test_words_add_up_and_the_longest_phrase_counts(tmp_path: Path) -> None:
    """Words are found whole and in folded case; "not good" is not "good"; a text without any is silent."""
    found = _opened(tmp_path, WORDS).logits(["GOOD, good!", "not good at all, bad", "goodness", ""])
    assert found[:2].tolist() == [[0, 0, 2], [2, 0, 0]]
    assert np.isnan(found[2:]).all()


def test_of_phrases_that_begin_together_the_longest_counts(tmp_path: Path) -> None:
    """Though the word that they begin with is an entry too; where they overlap, the first counts."""
    source = _opened(tmp_path, "word,label\ngood,pos\ngood grief,neg\ngrief counsel,neutral\n")
    assert list(source.hits("Good grief counsel, good")) == [("good", "grief"), ("good",)]


def test_case_is_folded(tmp_path: Path) -> None:
    """Letters whose case has no single counterpart are the same."""
    assert _opened(tmp_path, "word,label\nstra\u00dfe,pos\n").logits(["STRASSE"]).tolist() == [[0, 0, 1]]


def test_a_word_may_be_spelled_in_another_unicode_form(tmp_path: Path) -> None:
    """A letter and its mark are found where a text has both in one code point."""
    found = _opened(tmp_path, "word,label\ndu\u0301pe\u0323,pos\n").logits(["D\u00daP\u1eb8"])
    assert found.tolist() == [[0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "good,pos,2\nbad,neg,1\n"),
        ("a.tsv", "label\tword\tweight\npos\tgood\t2\nneg\tbad\t1\n"),
        ("a.csv", "Words,Weight,Sentiment\ngood,2,pos\nbad,1,neg\n"),
        ("a.jsonl", '{"word": "good", "label": "pos", "weight": 2}\n{"word": "bad", "label": "neg", "weight": 1}\n'),
    ],
)
def test_files_with_weights(tmp_path: Path, name: str, text: str) -> None:
    """Words, labels and weights are found by their names, or by their places where there are none."""
    assert _opened(tmp_path, text, name).logits(["good", "bad"]).tolist() == [[0, 0, 2], [1, 0, 0]]


def test_parquet(tmp_path: Path) -> None:
    """A lexicon may be a Parquet file."""
    pl.DataFrame({"word": ["good"], "label": ["pos"]}).write_parquet(tmp_path / "a.parquet")
    assert LexiconSource.open(str(tmp_path / "a.parquet"), TASK).logits(["good"]).tolist() == [[0, 0, 1]]


def test_cut_keeps_words_and_weights_but_not_which_belong_together(tmp_path: Path) -> None:
    """The permuted lexicon speaks of the same texts, with the same weights in all, by the seed."""
    rows = "".join(f"w{number},{('neg', 'pos')[number % 2]}\n" for number in range(40))
    source = _opened(tmp_path, rows)
    texts = [f"w{number}" for number in range(40)]
    first, again, other = (source.cut(seed).logits(texts) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, source.logits(texts))
    assert np.array_equal(first.sum(0), source.logits(texts).sum(0))


def test_saved_and_loaded(tmp_path: Path) -> None:
    """A lexicon that was saved answers alike; of another task it is refused."""
    source = _opened(tmp_path, WORDS)
    source.save(tmp_path)
    texts = ["not good", "bad", "nothing"]
    assert np.array_equal(LexiconSource.load(tmp_path, TASK).logits(texts), source.logits(texts), equal_nan=True)
    with pytest.raises(RecordError, match="2 labels"):
        LexiconSource.load(tmp_path, label_task("classify", ("a", "b")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("word,label\ngood,pos\nfine,positive\n", "line 3: 'positive' is no label of the task. Labels: neg, neutral, pos"),
        ("word,label\n", "no rows"),
        ("", "empty"),
        ("good\nbad\n", "a word and its label in each row"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """An error names the line and what was wanted."""
    with pytest.raises(DataError, match=said):
        _opened(tmp_path, text)


def test_a_file_must_be_named() -> None:
    """A lexicon without a file says how to give one."""
    with pytest.raises(UsageError, match="lexicon:FILE"):
        LexiconSource.open("", TASK)
