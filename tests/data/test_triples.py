"""Facts from files and Python rows, bad ones named; queries with their answers."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from lossworks.core.errors import DataError
from lossworks.data import ReadOptions, load
from lossworks.data.triples import Names, Queries, inverted

READ = ReadOptions(triples=True, unlabelled=True)
ROWS = [("a", "likes", "b"), ("b", "likes", "a, who"), ("c d", "is in", "a")]
TEXTS = ["\t".join(row) for row in ROWS]


def texts(source: Any, read: ReadOptions = READ) -> list[str]:
    """The rows of a source."""
    with closing(load(source, read)) as corpus:
        return [text for block in corpus.blocks() for text in block]


def test_every_format(tmp_path: Path) -> None:
    """TSV by its look or name, with a header or without, CSV, JSON, Parquet, packed, frames, tuples, dicts and lines."""
    plain = "\n".join(TEXTS) + "\n"
    dicts = [dict(zip(("head", "relation", "tail"), row, strict=True)) for row in ROWS]
    frame = pl.DataFrame(dicts)
    frame.write_csv(tmp_path / "named.csv")
    frame.select("tail", "head", pl.lit(1).alias("n"), "relation").write_ndjson(tmp_path / "other_order.jsonl")
    frame.write_parquet(tmp_path / "named.parquet")
    (tmp_path / "plain.tsv").write_text(plain)
    (tmp_path / "train.txt").write_text(plain)
    (tmp_path / "header.tsv").write_text("Head\tRelation\tTail\n" + plain)
    (tmp_path / "packed.tsv.gz").write_bytes(gzip.compress(plain.encode()))
    for name in sorted(path.name for path in tmp_path.iterdir()):
        assert texts(tmp_path / name) == TEXTS, name
    for rows in (ROWS, list(map(list, ROWS)), dicts, TEXTS, frame, pd.DataFrame(dicts)):
        assert texts(rows) == TEXTS


def test_named_columns(tmp_path: Path) -> None:
    """Columns of usual names are found in any order; those called otherwise are named by ``--text``."""
    path = tmp_path / "graph.csv"
    path.write_text("subject,object,predicate\na,b,likes\n")
    assert texts(path) == ["a\tlikes\tb"]
    path.write_text("from,to,by\na,b,likes\n")
    assert texts(path, ReadOptions(triples=True, unlabelled=True, text=["from", "by", "to"])) == ["a\tlikes\tb"]
    path = tmp_path / "graph.jsonl"
    path.write_text('{"from": "a", "to": "b", "by": "likes"}\n')
    with pytest.raises(DataError, match=r"three columns, head, relation and tail; its columns: .*--text"):
        texts(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a\tr\tb\na\tr\n", "line 2: expected 3 columns, found 2"),
        ("a\tr\tb\na\t\tb\n", "line 2: .*none empty"),
        ("a\tr\tb\na\tr\t \n", "line 2: .*none empty"),
        ("a\tb\n", "three columns"),
    ],
)
def test_bad_files(tmp_path: Path, rows: str, message: str) -> None:
    """A row without three names is named by its line."""
    path = tmp_path / "graph.tsv"
    path.write_text(rows)
    with pytest.raises(DataError, match=message):
        texts(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", "r"), r"row 2: a row is .*wanted \(head, relation, tail\)"),
        (("a", "r", 5), "row 2: the text is"),
        (("a", "r", None), "row 2: the text is missing"),
        (("a", "r\tr", "b"), "row 2: .*no tab within"),
        ("a\tr", "row 2: .*wanted three names"),
    ],
)
def test_bad_rows(row: Any, message: str) -> None:
    """So are those of Python rows; they can be left out."""
    with pytest.raises(DataError, match=message):
        texts([ROWS[0], row])
    assert texts([ROWS[0], row], ReadOptions(triples=True, unlabelled=True, bad_rows="skip")) == TEXTS[:1]


def test_names() -> None:
    """Numbers are places in the sorted names, whatever the order of the rows; of a strange name the row is told."""
    with closing(load(ROWS, READ)) as corpus, closing(load(ROWS[::-1], READ)) as backwards:
        names = Names.of([corpus])
        assert names == Names.of([backwards])
        assert names.entities == ("a", "a, who", "b", "c d")
        assert names.read(corpus).tolist() == [[0, 1, 2], [2, 1, 1], [3, 0, 0]]
    for row, what in ((("a", "likes", "z"), "entity 'z'"), (("a", "hates", "b"), "relation 'hates'")):
        with closing(load([*ROWS, row], READ)) as corpus, pytest.raises(DataError, match=f"row 4: the {what} was in none"):
            names.read(corpus)


def test_queries() -> None:
    """Both queries of each fact, each query once, its answers together; what is known of any query."""
    facts = np.array([[0, 0, 1], [0, 0, 2], [3, 1, 0], [0, 0, 1]])
    queries = Queries.of(facts, 2)
    told = {
        (int(h), int(r)): queries.tails[queries.bounds[q] : queries.bounds[q + 1]].tolist()
        for q, (h, r) in enumerate(zip(queries.head, queries.relation, strict=True))
    }
    assert told == {(0, 0): [1, 1, 2], (0, 3): [3], (1, 2): [0, 0], (2, 2): [0], (3, 1): [0]}
    assert len(queries) == len(told)
    places, row = queries.spread(np.array([4, 0]))
    assert (queries.tails[places].tolist(), row.tolist()) == ([0, 1, 1, 2], [0, 1, 1, 1])
    rows, tails = queries.known(np.array([3, 3, 0, 1]), np.array([0, 1, 0, 3]))
    assert (rows.tolist(), tails.tolist()) == ([1, 2, 2, 2], [0, 1, 1, 2])
    assert inverted(facts, 2).tolist()[2] == [0, 3, 3]
    empty = Queries.of(facts[:0], 2)
    assert len(empty) == 0
    assert [part.tolist() for part in empty.known(np.array([0]), np.array([0]))] == [[], []]
