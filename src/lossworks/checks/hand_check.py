"""Which rows of a ranking are looked at by hand, and what the answers say: no number of errors comes from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.seeds import generator
from ..metrics import Interval
from .stratified import wrong_rows

ANSWERS = ("right", "wrong", "unsure")
FIND = (0.5, 0.8, 0.9)
"""Shares of all errors for which it is said how many rows must be looked at."""
_TOP = 100


@dataclass(frozen=True, slots=True)
class Design:
    """The ranking cut into strata, and how many rows are drawn from each, at random and without replacement.

    Strata end at the first 100, 200, 500, 1,000, 2,000, … rows. Of each as many are drawn as is proportional to the square root
    of its size: more of the top, where most errors are and where precision is asked for, and still enough of the rest.
    """

    rows: tuple[int, ...]
    drawn: tuple[int, ...]
    seed: int

    @classmethod
    def of(cls, rows: int, sample: int, seed: int) -> Design:
        """The design for a ranking of ``rows`` rows, of which ``sample`` (all, if there are fewer) are to be looked at.

        Raises:
            UsageError: the sample is smaller than the number of strata.
        """
        sizes = tuple(b - a for a, b in pairwise([0, *_ends(rows)]))
        if sample < len(sizes):
            raise UsageError(f"sample is {sample}; wanted {len(sizes)} or more, one for each part of the ranking: 200.")
        return cls(sizes, _allotted(sizes, min(sample, rows)), seed)

    @property
    def ends(self) -> list[int]:
        """The place in the ranking that each stratum ends with, counted from 1."""
        return list(accumulate(self.rows))

    def places(self) -> NDArray[np.int64]:
        """The places drawn, counted from 0, in the order to look at them.

        Those of a stratum come in random order and the strata mixed, one of each first, so that whoever stops early has still
        looked at a random sample of every stratum.
        """
        draw = generator(self.seed, "hand check")
        found: list[tuple[float, float, int]] = []
        for first, size, count in zip([0, *self.ends], self.rows, self.drawn, strict=False):
            chosen = first + draw.permutation(size)[:count]
            turns = np.arange(count) / count  # 0 for the first of each stratum
            found += zip(turns.tolist(), draw.random(count).tolist(), chosen.tolist(), strict=True)
        return np.array([place for *_, place in sorted(found)], np.int64)

    def to_json(self) -> list[dict[str, Any]]:
        """The strata: from which place to which, counted from 1, and how many of them are drawn."""
        starts = [1, *(end + 1 for end in self.ends)]
        strata = zip(starts, self.ends, self.drawn, strict=False)
        return [{"from": first, "to": last, "drawn": count} for first, last, count in strata]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the answers say of all rows, each with its 95 % interval.

    looked, wrong, unsure: how many answers there are, and of which kind.
    errors: the number of wrong labels in all rows. precision: of so many first rows of the ranking, the share that is wrong.
    to_find: for a share of all errors, about how many first rows hold it, and how many with 95 % confidence; empty where
        nothing was found wrong.
    """

    rows: int
    looked: int
    wrong: int
    unsure: int
    errors: Interval
    precision: dict[int, Interval]
    to_find: dict[float, tuple[int, int]]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        share = Interval(*(number / self.rows for number in (self.errors.value, self.errors.low, self.errors.high)))
        return {
            "looked_at": self.looked,
            "wrong": self.wrong,
            "unsure": self.unsure,
            "errors": self.errors.to_json(),
            "error_rate": share.to_json(),
            "precision": [{"rows": rows, **found.to_json()} for rows, found in self.precision.items()],
            "to_find": [{"share": share, "rows": about, "surely": surely} for share, (about, surely) in self.to_find.items()],
        }


def estimate(design: Design, answers: Sequence[str]) -> Estimate:
    """What ``answers``, to the first of the design's places in their order, say of all rows.

    Raises:
        UsageError: not every stratum has one.
    """
    if len(answers) < len(design.rows):
        raise UsageError(
            f"{len(answers)} rows are answered; wanted {len(design.rows)} or more, the first of each part of the ranking. Go on "
            "with the page, and download the answers again."
        )
    stratum = np.searchsorted(design.ends, design.places()[: len(answers)], "right")
    said = np.array(answers)
    kinds = (stratum, stratum[said == "wrong"], stratum[said == "unsure"])
    strata = np.array([design.rows, *(np.bincount(kind, minlength=len(design.rows)) for kind in kinds)])
    upto = [wrong_rows(*strata[:, : last + 1]) for last in range(len(design.rows))]
    beyond = [wrong_rows(*strata[:, last:]) for last in range(1, len(design.rows))]
    ends = design.ends
    precision = {rows: Interval(*(n / rows for n in (x.value, x.low, x.high))) for rows, x in zip(ends, upto, strict=True)}
    wrong, unsure = (int(count) for count in strata[2:].sum(1))
    return Estimate(ends[-1], len(said), wrong, unsure, upto[-1], precision, _to_find(ends, upto, beyond))


def _to_find(ends: Sequence[int], upto: Sequence[Interval], beyond: Sequence[Interval]) -> dict[float, tuple[int, int]]:
    total = upto[-1].value
    if not total:
        return {}
    found = [0.0, *(part.value / total for part in upto)]
    # at least so large a share: each of the two bounds fails in 2.5 % of samples at most
    least = [a.low / (a.low + b.high) if a.low else 0.0 for a, b in zip(upto, beyond, strict=False)] + [1.0]
    return {
        share: (
            int(np.ceil(np.interp(share - 1e-9, found, [0, *ends]))),  # the first of those that hold it, where some hold none
            next(end for end, reached in zip(ends, least, strict=True) if reached >= share),
        )
        for share in FIND
    }


def _ends(rows: int) -> list[int]:
    """100, 200, 500, 1,000, … as far as there are rows, and the last row."""
    ladder = [step * _TOP * 10**power for power in range(len(str(rows))) for step in (1, 2, 5)]
    return [end for end in ladder if end < rows] + [rows]


def _allotted(sizes: Sequence[int], sample: int) -> tuple[int, ...]:
    """``sample`` rows over strata in proportion to the roots of their sizes: one each, then where one more is most due."""
    room, roots = np.array(sizes), np.sqrt(sizes)
    drawn = np.ones(len(sizes), np.int64)
    while drawn.sum() < sample:
        drawn[np.where(drawn < room, roots / (drawn + 0.5), 0).argmax()] += 1  # Webster's method
    return tuple(drawn.tolist())
