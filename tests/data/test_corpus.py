"""The corpus: the same rows whether they stand in memory or in a file."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lossworks.core.errors import RecordError
from lossworks.data import ReadOptions, load

ROWS = [(f"文 number {i % 700} 🙂"[: 5 + i % 12], f"label {i % 3}") for i in range(3000)]


@pytest.fixture
def small_blocks(monkeypatch):
    """Many blocks of few rows."""
    monkeypatch.setattr("lossworks.data.store.BLOCK", 4000)
    monkeypatch.setattr("lossworks.data.formats.pairs.AT_ONCE", 50)


@pytest.mark.parametrize("budget", [0, 20_000, 1 << 28])
def test_memory_and_file_agree(budget, tmp_path, small_blocks):
    """Blocks, single texts and places are the same with none, some or all of the texts in memory."""
    corpus = load(ROWS, budget=budget, spill=tmp_path)
    texts = [text for text, _ in ROWS]
    assert [text for block in corpus.blocks() for text in block] == texts
    assert [text for block in corpus.blocks() for text in block] == texts  # and once more
    rows = np.random.default_rng(0).integers(0, len(ROWS), 500)
    assert corpus.texts(rows) == [texts[row] for row in rows]
    assert corpus.texts([]) == []
    assert corpus.place(2999) == "the rows, row 3000"
    corpus.close()
    assert not os.listdir(tmp_path)


def test_texts_beyond_the_budget_leave_memory(tmp_path):
    """What is spilled is not held as well."""
    rows = ((f"{i} " + "x" * 10_000, "ab"[i % 2]) for i in range(3000))
    tracemalloc.start()
    corpus = load(rows, budget=1 << 20, spill=tmp_path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 << 20
    assert corpus.texts([2999])[0].startswith("2999 xx")


def test_full_disk(write):
    """A folder that cannot take the texts is named with the remedy."""
    with pytest.raises(RecordError, match=r"in /proc/none: .*TMPDIR"):
        load(ROWS, budget=0, spill=Path("/proc/none"))
    with pytest.raises(RecordError, match=r"in /proc/none: .*TMPDIR"):
        load(write([("a", "x")], "parquet", ".gz"), spill=Path("/proc/none"))


def test_keys_and_labels():
    """Equal texts have equal keys, others other ones; equal labels are one object."""
    corpus = load(ROWS)
    texts = np.array([text for text, _ in ROWS])
    assert corpus.keys.dtype == np.uint64
    assert (np.unique(corpus.keys, return_inverse=True)[1].max() + 1) == len(set(texts.tolist()))
    assert load([("同", "a")]).keys.tolist() == [0x881BC190A5C8ABF1]  # the same on any machine
    assert len({id(label) for label in corpus.labels}) == 3


def test_fingerprint(small_blocks):
    """It changes with a text, a label and the order, not with how the rows came in blocks."""
    base = [("a", "x"), ("b", "y"), ("c", "x")]
    prints = {load(rows).fingerprint for rows in (base, base[::-1], [("a", "y"), *base[1:]], [("d", "x"), *base[1:]])}
    assert len(prints) == 4
    whole = load(ROWS).fingerprint
    for at_once in (1, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lossworks.data.formats.pairs.AT_ONCE", at_once)
            assert load(ROWS).fingerprint == whole
    assert load([("a", 1)]).fingerprint == load([("a", "1")]).fingerprint


def test_places_after_bad_rows(put):
    """A row keeps its own line when rows before it were bad or blank."""
    corpus = load(put("r.csv", 'text,label\n,x\n"a\nb",x\n\nc,y\n'), ReadOptions(bad_rows="skip"))
    assert [corpus.place(i).rpartition(", ")[2] for i in range(2)] == ["line 3", "line 6"]
