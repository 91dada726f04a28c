"""Which rows train, validate and test: seeded, in equal shares of every class, equal texts always together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.seeds import generator
from .corpus import Corpus
from .labels import spelled
from .options import Label
from .targets import label_sets

TRAIN, VALID, TEST = 0, 1, 2
PARTS = ("train", "valid", "test")
"""What they are called."""


def split(corpus: Corpus, task: str | None, valid: float = 0.1, test: float = 0.1, seed: int = 0) -> NDArray[np.uint8]:
    """The part of every row: 0 train, 1 valid, 2 test.

    Without duplicates every class gives each part its share to within one row, and so do all rows together; every
    class keeps a row to train on. Where rows have languages, that holds of every language, and of every class within one.
    A multi-label row counts as of its rarest label; numeric targets are not stratified, nor are texts where ``task`` is None.
    The same rows split in the same way in any order, as long as equal texts have equal labels.
    """
    if valid < 0 or test < 0 or valid + test >= 1:
        raise UsageError(f"cannot split off valid={valid}, test={test}: wanted shares of at least 0, below 1 together.")
    strata = _strata(corpus, task)
    order, first, sizes = _groups(corpus.keys)
    parts = _assign(strata[first], sizes, valid, test, seed)
    rows = np.empty(len(order), np.uint8)
    rows[order] = np.repeat(parts, sizes)
    _keep_trained(rows, strata, corpus.keys)
    return rows


def k_folds(corpus: Corpus, task: str | None, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """The fold of every row, 0 to ``count`` - 1, for models that are each trained without one fold.

    Equal texts are in one fold, and the texts of a class in as many folds as there are of them. ``task`` is as of ``split``.

    Raises:
        UsageError: ``count`` is not from 2 to 100, or there are fewer different texts.
    """
    order, first, sizes = _groups(corpus.keys)
    if not 2 <= count <= min(100, len(sizes)):
        most = f"100 ({len(sizes):,} different texts)" if len(sizes) >= 100 else f"{len(sizes)}, one for each different text"
        raise UsageError(f"folds is {count}; wanted 2 to {most}.")
    lots = generator(seed, "folds").permutation(len(sizes))
    dealt = np.lexsort((lots, _strata(corpus, task)[first]))  # by class, at random within it, and dealt out in turn
    of_group = np.empty(len(sizes), np.uint8)
    of_group[dealt] = np.arange(len(sizes)) % count
    rows = np.empty(len(order), np.uint8)
    rows[order] = np.repeat(of_group, sizes)
    return rows


def _groups(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The rows with equal texts side by side, and of each group of them the row that comes first and the size."""
    order = np.argsort(keys).astype(np.int32)
    starts = _starts(keys[order])
    return order, np.minimum.reduceat(order, starts), np.diff(starts, append=np.int32(len(order)))


def _starts(values: NDArray[Any]) -> NDArray[np.int32]:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.r_[True, values[1:] != values[:-1]]).astype(np.int32)


def _assign(strata: NDArray[np.int32], sizes: NDArray[np.int32], valid: float, test: float, seed: int) -> NDArray[np.uint8]:
    """A part per group, from its stratum and its number of rows: within a stratum by lot, test first, train last."""
    lots = strata.astype(np.uint64)  # in place from here: of ten million rows it takes 80 MB
    lots <<= np.uint64(32)
    lots |= generator(seed, "split").integers(0, 1 << 32, len(strata), dtype=np.uint32)
    order = np.argsort(lots, kind="stable").astype(np.int32)
    del lots
    strata, sizes = strata[order], sizes[order]
    ends = sizes.cumsum(dtype=np.int64)
    firsts = _starts(strata)  # of each stratum, its first group
    upto = ends[np.r_[firsts[1:], len(strata)] - 1]
    counts = np.diff(upto, prepend=0)
    tests, valids = _shares(counts, valid, test)
    begins = upto - counts
    middles = ends  # twice where the middle of each group lies, and there it belongs; they grow from group to group
    middles *= 2
    middles -= sizes
    parts = np.full(len(strata), TRAIN, np.uint8)
    for limit, part in ((begins + tests + valids, VALID), (begins + tests, TEST)):
        for first, last in zip(firsts, np.searchsorted(middles, 2 * limit), strict=True):
            parts[first:last] = part
    result = np.empty_like(parts)
    result[order] = parts
    return result


def _shares(counts: NDArray[np.int64], valid: float, test: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of every stratum to test and to validate on; what rounding takes from one stratum the next gives.

    The two go through the strata from opposite ends, or the same small classes would give to both.
    """
    tests = _rounded(counts * test)
    valids = _rounded((counts * valid)[::-1])[::-1]
    tests = np.minimum(tests, counts - 1)
    valids = np.minimum(valids, counts - 1 - tests)
    for part, share in ((tests, test), (valids, valid)):
        room = counts - 1 - tests - valids
        if share and not part.sum() and room.max() > 0:
            part[room.argmax()] = 1  # in a tiny corpus, rather one row than none
    return tests, valids


def _rounded(shares: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.diff(np.floor(shares.cumsum() + 0.5), prepend=0).astype(np.int64)


def _keep_trained(parts: NDArray[np.uint8], strata: NDArray[np.int32], keys: NDArray[np.uint64]) -> None:
    """A class whose texts all stand under another label too may have lost all its rows: bring one group back."""
    trained = np.bincount(strata[parts == TRAIN], minlength=strata.max() + 1)
    for stratum in np.flatnonzero((trained == 0) & (np.bincount(strata) > 0)):
        parts[keys == keys[np.argmax(strata == stratum)]] = TRAIN


def _strata(corpus: Corpus, task: str | None) -> NDArray[np.int32]:
    """The stratum of every row, numbered in the order of the languages, where there are any, and the labels' names."""
    labels = _of_labels(corpus, task)
    if corpus.languages is None:
        return labels
    both = corpus.languages.of_row * np.int64(labels.max(initial=0) + 1) + labels
    return np.asarray(np.unique(both, return_inverse=True)[1], np.int32)


def _of_labels(corpus: Corpus, task: str | None) -> NDArray[np.int32]:
    if task in (None, "regress"):
        return np.zeros(len(corpus), np.int32)
    labels = corpus.labels if task == "classify" else _rarest(corpus)
    names = {label: spelled(label) for label in set(labels)}
    index = {name: i for i, name in enumerate(sorted(set(names.values())))}
    code = {label: index[name] for label, name in names.items()}
    return np.fromiter(map(code.__getitem__, labels), np.int32, len(labels))


def _rarest(corpus: Corpus) -> list[Label | None]:
    sets = label_sets(corpus)
    counts = Counter(name for labels in sets for name in labels)
    rarest = {labels: min(labels, key=lambda name: (counts[name], name), default="") for labels in set(sets)}
    return [rarest[labels] for labels in sets]
