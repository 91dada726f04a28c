"""Splits: exact shares, duplicates together, the same every time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core.errors import UsageError
from lossworks.data import TEST, TRAIN, VALID, k_folds, load, split

SHARES = {VALID: 0.1, TEST: 0.15}


def corpus_of(labels, texts=None):
    """A corpus of these labels, its texts all different unless given."""
    return load(list(zip(texts or [f"text {i}" for i in range(len(labels))], labels, strict=True)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 5))
def test_shares(sizes, seed):
    """Each class, and all rows together, give each part its share to within one row; each class trains on a row."""
    labels = [f"class {k}" for k, size in enumerate(sizes) for _ in range(size)]
    parts = split(corpus_of(labels), "classify", SHARES[VALID], SHARES[TEST], seed)
    found = Counter(zip(labels, parts.tolist(), strict=True))
    for name, size in Counter(labels).items():
        assert found[name, TRAIN] >= 1
        assert all(abs(found[name, part] - share * size) <= 1 for part, share in SHARES.items())
    if min(sizes) >= 4:
        assert all(abs((parts == part).sum() - share * len(labels)) <= 1 for part, share in SHARES.items())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=4, max_size=200), st.integers(0, 5))
def test_duplicates_stay_together(rows, seed):
    """Equal texts are on one side, whatever their labels; each class still trains on a row."""
    texts = [f"text {i}" for i, _ in rows]
    for task in ("classify", "multilabel", "regress"):
        labels = [float(i) if task == "regress" else label for i, label in rows]
        parts = split(corpus_of(labels, texts), task, seed=seed)
        assert len(set(zip(texts, parts.tolist(), strict=True))) == len(set(texts))
        if task == "classify":
            assert {label for label, part in zip(labels, parts, strict=True) if part == TRAIN} == set(labels)


def test_seeded_and_stable():
    """A seed gives one split, on any machine, and another seed another."""
    corpus = corpus_of(["a", "b", "b"] * 10)
    parts = split(corpus, "classify", 0.2, 0.2, seed=3)
    assert "".join(map(str, parts)) == "211100110000020200020020002001"
    assert (split(corpus, "classify", 0.2, 0.2, seed=4) != parts).any()


def test_order_does_not_matter():
    """The same rows in another order fall into the same parts."""
    rows = [(f"text {i}", "ab"[i % 3 == 0]) for i in range(200)]
    order = np.random.default_rng(0).permutation(200)
    parts = split(load(rows), "classify")
    assert (split(load([rows[i] for i in order]), "classify") == parts[order]).all()


def test_rare_labels_are_spread():
    """In a multi-label corpus of sets that hardly repeat, a rare label is in every part."""
    rng = np.random.default_rng(0)
    labels = [sorted({f"l{k}" for k in rng.integers(0, 30, 5)} | ({"rare"} if i % 20 == 0 else set())) for i in range(600)]
    parts = split(corpus_of(labels), "multilabel")
    assert [sum("rare" in labels[i] for i in np.flatnonzero(parts == part)) for part in (VALID, TEST)] == [3, 3]
    assert abs((parts == TEST).sum() - 60) <= 1


def test_regress_is_not_stratified():
    """Every number differs, and the parts still have their shares."""
    parts = split(corpus_of([float(i) for i in range(100)]), "regress", 0.1, 0.2)
    assert np.bincount(parts).tolist() == [70, 10, 20]


def test_tiny_corpus():
    """Of a handful of rows each part still gets one, if the classes can spare it."""
    parts = split(corpus_of(["a", "b"] * 3), "classify")
    assert np.bincount(parts, minlength=3).tolist() == [4, 1, 1]
    assert np.bincount(split(corpus_of(["a", "b"]), "classify"), minlength=3).tolist() == [2, 0, 0]
    assert split(corpus_of(["a", "b"] * 3), "classify", 0, 0).sum() == 0


def test_conflicting_labels_keep_a_class_in_training():
    """A class whose only text stands under another label first is not lost to training."""
    texts = [f"text {i}" for i in range(30)]
    for seed in range(20):
        parts = split(corpus_of(["a"] * 30 + ["b"], [*texts, "text 7"]), "classify", 0.3, 0.3, seed)
        assert parts[30] == parts[7] == TRAIN


def test_shares_out_of_range():
    """There must be something left to train on."""
    with pytest.raises(UsageError, match="below 1 together"):
        split(corpus_of(["a", "b"]), "classify", 0.5, 0.5)


def test_folds():
    """Equal texts are in one fold, the texts of a class in all of them evenly, whatever the rows' order."""
    texts = [f"text {i // 2 if i < 20 else i}" for i in range(103)]
    labels = ["rare" if i >= 100 else "ab"[i // 2 % 2] for i in range(103)]
    corpus = corpus_of(labels, texts)
    found = k_folds(corpus, "classify", 5, 1)
    assert set(found.tolist()) == set(range(5))
    assert all(found[i] == found[i + 1] for i in range(0, 20, 2))
    assert len(set(found[100:].tolist())) == 3
    for name in "ab":
        groups = Counter({text: found[i] for i, text in enumerate(texts) if labels[i] == name}.values())
        assert max(groups.values()) - min(groups.values()) <= 1
    back = k_folds(corpus_of(labels[::-1], texts[::-1]), "classify", 5, 1)
    np.testing.assert_array_equal(back[::-1], found)
    assert (k_folds(corpus, "classify", 5, 2) != found).any()


@pytest.mark.parametrize("count", [1, 4, 101])
def test_impossible_folds(count):
    """One fold, more than there are texts, or too many, are an error that says how many there may be."""
    with pytest.raises(UsageError, match=r"wanted 2 to (3, one for each different text|100)"):
        k_folds(corpus_of(["a"] * (200 if count == 101 else 3)), "classify", count)
