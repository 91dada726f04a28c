"""Texts of one set that stand in another, word for word or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .digests import digests
from .near import NEAR, Ints, cross_candidates, verified
from .shingles import bands
from .texts import Texts


@dataclass(frozen=True, slots=True)
class Leaks:
    """Pairs of a test text (``rows``) and a training text (``of``), sorted, their likeness, and whether they are wholly equal."""

    rows: Ints
    of: Ints
    likeness: NDArray[np.float64]
    exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


def leaks(train: Texts, test: Texts, threshold: float = NEAR, signed: NDArray[np.uint64] | None = None) -> Leaks:
    """The pairs of a test and a training text that are the same or nearly so, by the true Jaccard similarity of their shingles.

    Whoever leaves out training texts takes the different ``of``; whoever leaves out test texts, the different ``rows``.
    Normalise the texts first. ``signed``: the bands of ``train``, where they are at hand.

    Raises:
        UsageError: the threshold is not 0.6 to 1.
    """
    found = verified(test, train, cross_candidates(bands(test), bands(train) if signed is None else signed), threshold)
    exact = (digests(test.take(found.rows)) == digests(train.take(found.of))).all(1)
    return Leaks(found.rows, found.of, found.likeness, exact)
