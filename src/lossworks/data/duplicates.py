"""Texts that recur, word for word or nearly; held-out ones that stand among the training texts reward memory.

Near means that of all the n-grams of one, two or three words that either text has, four in five are in both (Jaccard), letters'
case aside. Candidates come from MinHash signatures in bands (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3.4), and
each is then looked at exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from ..tokens.ngrams import hashed_ngrams
from . import TEST, TRAIN, VALID, Corpus

NEAR = 0.8
_BANDS, _EACH = 20, 5  # a pair at the threshold is missed once in 3,000
_CANDIDATES = 8  # training rows looked at for each held-out row and band
_SHOWN = 20
_WORDS, _BITS = 3, 28


@dataclass(frozen=True, slots=True)
class Pair:
    """A held-out row and the training row most like it; ``likeness`` is 1 where they are the same word for word."""

    row: int
    of: int
    part: str
    likeness: float
    text: str
    original: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Held-out rows with a double among the training rows: how many of each part, exact and near, and some of them."""

    exact: dict[str, int]
    near: dict[str, int]
    shown: list[Pair]
    test_rows: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"exact": self.exact, "near": self.near, "shown": [asdict(pair) for pair in self.shown], "threshold": NEAR}


def nothing() -> Duplicates:
    """Where there are none, or none can be."""
    none = {"valid": 0, "test": 0}
    return Duplicates(none, none, [], np.empty(0, np.int64))


def find(corpora: Sequence[Corpus], parts: NDArray[np.uint8]) -> Duplicates:
    """The doubles across the split of the corpora's rows, numbered through."""
    grams, offsets = _grams(corpora)
    keys = np.concatenate([corpus.keys for corpus in corpora])
    train = np.flatnonzero(parts == TRAIN)
    held = np.flatnonzero((parts == VALID) | (parts == TEST))
    likeness, twin = np.zeros(len(keys)), np.full(len(keys), -1, np.int64)
    _match_near(grams, offsets, train, held, likeness, twin)
    likeness[likeness >= 1] = 0.9999  # the same n-grams, but for case and spaces: not word for word
    order = train[np.argsort(keys[train], kind="stable")]
    at = np.minimum(np.searchsorted(keys[order], keys[held]), len(order) - 1)
    same = keys[order[at]] == keys[held]
    likeness[held[same]], twin[held[same]] = 1.0, order[at[same]]
    names = {VALID: "valid", TEST: "test"}
    exact = {name: int((likeness[parts == part] == 1).sum()) for part, name in names.items()}
    near = {name: int((likeness[parts == part] >= NEAR).sum()) - exact[name] for part, name in names.items()}
    doubled = held[likeness[held] >= NEAR]
    chosen = doubled[np.lexsort((doubled, -likeness[doubled], parts[doubled] != TEST))][:_SHOWN]
    texts = zip(_texts(corpora, chosen), _texts(corpora, twin[chosen]), strict=True)
    shown = [
        Pair(int(row), int(twin[row]), names[int(parts[row])], round(float(likeness[row]), 4), text, original)
        for row, (text, original) in zip(chosen.tolist(), texts, strict=True)
    ]
    test = np.flatnonzero(parts == TEST)
    return Duplicates(exact, near, shown, np.flatnonzero(likeness[test] >= NEAR))


def within(corpus: Corpus) -> NDArray[np.int64]:
    """The rows of which another has the same text, word for word or nearly."""
    grams, offsets = _grams([corpus])
    rows, likeness = np.arange(len(corpus)), np.zeros(len(corpus))
    _match_near(grams, offsets, rows, rows, likeness, np.full(len(corpus), -1, np.int64))
    _, number, count = np.unique(corpus.keys, return_inverse=True, return_counts=True)
    return np.flatnonzero((likeness >= NEAR) | (count[number] > 1))


def _texts(corpora: Sequence[Corpus], rows: NDArray[np.int64]) -> list[str]:
    """The texts of a few rows."""
    starts = np.cumsum([0, *map(len, corpora)])
    places = np.searchsorted(starts, rows, side="right") - 1
    return [corpora[place].texts([int(row - starts[place])])[0] for row, place in zip(rows, places, strict=True)]


def _grams(corpora: Sequence[Corpus]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The n-grams of every text, sorted within it and each once, end to end, and where each text begins."""
    ids, lengths = [], [np.zeros(1, np.int64)]
    for corpus in corpora:
        for texts in corpus.blocks():
            found, offsets = hashed_ngrams(texts, _WORDS, 0, _BITS)
            sizes = np.empty(len(texts), np.int64)
            share(_sort_each, len(found), found, offsets, sizes)
            ids.append(found[_kept(offsets, sizes)])
            lengths.append(sizes)
    return np.concatenate(ids), np.cumsum(np.concatenate(lengths))


def _kept(offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    kept: NDArray[np.bool_] = place < np.repeat(sizes, np.diff(offsets))
    return kept


def _match_near(
    grams: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    train: NDArray[np.int64],
    held: NDArray[np.int64],
    likeness: NDArray[np.float64],
    twin: NDArray[np.int64],
) -> None:
    """Fill in the most like training row of each held-out row, of those that share a band with it."""
    rows = len(offsets) - 1
    filled = np.diff(offsets) > 0
    train, held = train[filled[train]], held[filled[held]]
    bands = np.empty((_BANDS, rows), np.uint64)
    share(_sign_all, len(grams) * _BANDS * _EACH, grams, offsets, bands)
    for band in bands:
        order = train[np.argsort(band[train], kind="stable")]
        share(_look, len(held) * 100, grams, offsets, band[order], order, held, band[held], likeness, twin)


@njit(cache=True, nogil=True)
def _sort_each(part, parts, ids, offsets, sizes):  # type: ignore[no-untyped-def]
    """Sort each text's ids in place and move each kind to the front once; how many there are to ``sizes``."""
    texts = len(sizes)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        own = ids[offsets[text] : offsets[text + 1]]
        own.sort()
        kept = 0
        for i in range(len(own)):
            if kept == 0 or own[i] != own[kept - 1]:
                own[kept] = own[i]
                kept += 1
        sizes[text] = kept


@njit(cache=True, nogil=True)
def _sign_all(part, parts, grams, offsets, bands):  # type: ignore[no-untyped-def]
    """Of each text and band, the smallest of its n-grams under each of some random orders, mixed into one number."""
    texts = len(offsets) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        for band in range(_BANDS):
            whole = np.uint64(0)
            for each in range(_EACH):
                salt = np.uint64(band * _EACH + each + 1) * np.uint64(0x9E3779B97F4A7C15)
                least = np.uint64(0xFFFFFFFFFFFFFFFF)
                for i in range(offsets[text], offsets[text + 1]):
                    h = (np.uint64(grams[i]) ^ salt) * np.uint64(0xFF51AFD7ED558CCD)
                    h ^= h >> np.uint64(32)
                    h *= np.uint64(0xC4CEB9FE1A85EC53)
                    h ^= h >> np.uint64(29)
                    least = min(least, h)
                whole = (whole ^ least) * np.uint64(0x100000001B3)
            bands[band, text] = whole


@njit(cache=True, nogil=True)
def _look(part, parts, grams, offsets, sorted_bands, order, held, wanted, likeness, twin):  # type: ignore[no-untyped-def]
    """For each held-out row, the Jaccard likeness to the first few training rows with the same band."""
    for k in range(len(held) * part // parts, len(held) * (part + 1) // parts):
        row, at = held[k], np.searchsorted(sorted_bands, wanted[k])
        for other in range(at, min(at + _CANDIDATES, len(order))):
            if sorted_bands[other] != wanted[k]:
                break
            if order[other] == row:  # where a text is sought among its own
                continue
            i, j = offsets[row], offsets[order[other]]
            ends = offsets[row + 1], offsets[order[other] + 1]
            both, sizes = 0, ends[0] - i + ends[1] - j
            while i < ends[0] and j < ends[1]:
                both += grams[i] == grams[j]
                step = grams[i] <= grams[j]
                j += grams[i] >= grams[j]
                i += step
            alike = both / (sizes - both)
            if alike > likeness[row]:
                likeness[row], twin[row] = alike, order[other]
