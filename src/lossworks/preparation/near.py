"""Texts that are nearly the same: shingles by script, MinHash signatures in bands, pairs looked at exactly, and which text goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .texts import Texts


@dataclass(frozen=True, slots=True)
class Near:
    """When two texts count as nearly the same: the Jaccard similarity of their sets of shingles is ``threshold`` or more."""

    threshold: float = 0.7


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of texts and the true Jaccard similarity of their shingles.

    rows, of: int64 [M]; likeness: float64 [M]. Sorted by ``rows``, then ``of``.
    """

    rows: NDArray[np.int64]
    of: NDArray[np.int64]
    likeness: NDArray[np.float64]


def bands(texts: Texts) -> NDArray[np.uint64]:
    """The bands of each text's signature [N, B]: texts that are nearly the same have one band or more in common, mostly.
    A text's bands depend on nothing but the text.
    """
    raise NotImplementedError


def candidates(bands: NDArray[np.uint64], rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Pairs of rows that share a band [M, 2], the later row first, sorted, each once.

    For data too large for one table the bands may be divided by their value: the union of the pairs of the parts is the same (give
    column b of all rows as one array [N, 1] and the global numbers of the rows).

    Args:
        bands: [N, B] as ``bands`` gives them.
        rows: the global number of each row [N]; 0 to N − 1 if None.
    """
    raise NotImplementedError


def cross_candidates(bands: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs (row of ``bands``, row of ``others``) that share a band [M, 2], sorted, each once."""
    raise NotImplementedError


def jaccard(one: Texts, other: Texts) -> NDArray[np.float64]:
    """The Jaccard similarity of text i of ``one`` and text i of ``other`` [N], of their whole sets of shingles."""
    raise NotImplementedError


def removed(rows: NDArray[np.int64], of: NDArray[np.int64], likeness: NDArray[np.float64], threshold: float) -> Pairs:
    """The texts that go: each later text of a pair whose likeness to an earlier text that *stays* reaches the threshold.

    Rows are looked at in their order, so the earliest stays. Nothing is inferred from chains: a text like one that goes, and like
    none that stays, stays. Each is given with the most like of those that stay, the earliest where they are equally like.
    """
    raise NotImplementedError
