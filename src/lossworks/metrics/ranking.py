"""Ranks of what is true among all that might be, and the metrics of a knowledge graph made of them (Bordes et al. 2013, NIPS 26).

Filtered: what is known to be true besides does not count against an answer. Ties count in expectation, as if drawn by lot: a
model that scores all alike is as good as chance, not perfect (Sun et al. 2020, arXiv:1911.03903).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .intervals import Floats, Interval, Ints, effective, mean

HITS = (1, 3, 10)


@dataclass(frozen=True, slots=True)
class Ranks:
    """How many other outcomes score ``better`` than the true one of each query [N], and how many the same (``ties``)."""

    better: Ints
    ties: Ints

    @classmethod
    def joined(cls, parts: Iterable[Ranks]) -> Self:
        """Those of several parts, one after another."""
        better, ties = zip(*((part.better, part.ties) for part in parts), strict=True)
        return cls(np.concatenate(better), np.concatenate(ties))

    @property
    def rank(self) -> Floats:
        """The expected rank, from 1. Its reciprocal is no more than is expected of that (Jensen)."""
        return 1 + self.better + self.ties / 2

    def hits(self, most: int) -> Floats:
        """The probability that the true outcome is among the first ``most``."""
        return np.clip((most - self.better) / (self.ties + 1), 0.0, 1.0)


def ranked(scores: NDArray[Any], target: Ints, known: tuple[Ints, Ints]) -> Ranks:
    """Where the true outcome of each query stands.

    Args:
        scores: of every outcome [N, V], the higher the better; one that is no number counts as better than all.
        target: the true outcome [N].
        known: rows of the N, and outcomes, that are true too: these are left out. May hold targets.
    """
    rows, others = known
    row = np.arange(len(target))
    own = scores[row, target][:, None]
    above, equal = ~(scores <= own), scores == own
    for mask in (above, equal):
        mask[rows, others] = False
        mask[row, target] = False
    return Ranks(np.count_nonzero(above, 1), np.count_nonzero(equal, 1))


def ranking(ranks: Ranks, facts: Ints) -> dict[str, Interval]:
    """mrr and hits_at_1, _3 and _10 with 95 % intervals. ``facts`` [N]: queries of one fact go together, as one draw."""
    _, groups = np.unique(facts, return_inverse=True)
    weights = effective(None, len(facts), groups)
    rows = {"mrr": 1 / ranks.rank} | {f"hits_at_{most}": ranks.hits(most) for most in HITS}
    return {name: mean(values, weights, groups, low=0.0, high=1.0) for name, values in rows.items()}
