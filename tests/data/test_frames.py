"""Data frames are read as files of the same rows are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, load
from lossworks.data.formats import frames

ROWS = {"id": [7, 8, 9], "phrase": ["good one", "bad 坏", "fine"], "kind": [1, 0, 1], "weight": [1.0, 2.0, 0.5]}
MAKERS = [pd.DataFrame, lambda rows: pd.DataFrame(rows, index=[5, 5, 2]), pl.DataFrame, pl.LazyFrame]
READ = ReadOptions(text="phrase", label="kind", weight="weight")


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("at_once", [2, 100])
def test_read(make: Any, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, types, weights and places."""
    monkeypatch.setattr(frames, "AT_ONCE", at_once)
    corpus = load(make(ROWS), READ)
    assert corpus.texts(range(3)) == ROWS["phrase"]
    assert corpus.labels == [1, 0, 1]
    assert corpus.label_type == "int"
    assert corpus.weights is not None
    assert corpus.weights.tolist() == ROWS["weight"]
    assert (corpus.text_column, corpus.label_column) == ("phrase", "kind")
    assert corpus.place(2) == "the rows, row 3"
    assert (
        corpus.fingerprint
        == load([dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)], READ).fingerprint
    )


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_missing(make: Any) -> None:
    """A missing cell is a bad row, not the text "nan"; a categorical column is its texts."""
    with pytest.raises(DataError, match="row 2: the text is missing"):
        load(make({"text": ["a", None, "b"], "label": ["x", "y", "x"]}))
    with pytest.raises(DataError, match="row 3: the label is missing"):
        load(make({"text": ["a", "c", "b"], "label": [1.0, 0.0, None]}))
    with pytest.raises(DataError, match="empty"):
        load(make({"text": [], "label": []}))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("odd", [0, [], ["b"]])
def test_several_text_columns(make: Any, odd: Any) -> None:
    """They are joined, without the missing ones; what is no text is a bad row."""
    rows = {"title": ["a", None, ""], "body": ["b", "c", "d"], "n": [odd, odd, odd], "label": ["x", "y", "x"]}
    assert load(make(rows), ReadOptions(text="title,body")).texts(range(3)) == ["a b", "c", "d"]
    with pytest.raises(DataError, match=r"row 1: the text is (the number 0|a list), not text"):
        load(make(rows), ReadOptions(text="title,n"))


def test_kinds_of_columns() -> None:
    """Categories are texts; a name that is twice there is no hindrance where it is not read, or a number."""
    frame = pd.DataFrame({"text": pd.Series(["a", "b"], dtype="category"), "label": pd.Series([True, False])})
    assert load(frame).label_type == "bool"
    assert load(pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"], "collect": [1, 2]})).labels == ["x", "y"]
    twice = pd.DataFrame([["a", "x", 0, 1], ["b", "y", 0, 2]], columns=["text", "id", "id", "label"])
    assert load(twice).texts([0]) == ["a"]
    with pytest.raises(DataError, match="columns 2 and 3 have one name, 'id'"):
        load(twice, ReadOptions(text="id"))
    assert load(pd.DataFrame([["a", "x"], ["b", "y"]]), ReadOptions(text=1, label=2)).labels == ["x", "y"]
