"""Whether the mean of some rows differs from that of the others: an interval, and a p that may be corrected for many looks.

Losses are skewed, and corrections for hundreds of looks ask for tails far out, where the normal theory of a few dozen skewed
numbers is wrong by orders of magnitude: over random parts of exponential losses, where nothing differs, Welch's test with Holm's
correction finds something in a quarter of families, of lognormal ones nearly always. A permutation test is right there whatever
the losses are, but takes a difference in spread for one in means. So p is the larger of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.lazy import Later
from .intervals import TAIL, skew_corrected, unskewed

special = Later("scipy.special")  # most fits ask for nothing of it, and it takes a third of a second to import
Floats = NDArray[np.float64]

LEVEL = 0.05
FEWEST = 20
"""Texts that a part must have, inside and outside, to be tested."""
_ROUNDS, _EXACT = 100, 1e-9  # of Newton's method, and how far from the sum asked for it may end, in standard deviations


@dataclass(frozen=True, slots=True)
class Sample:
    """Of units drawn at random, such as texts: a sum in each, and the size that it is a rate of (rows, tokens); both [U]."""

    sums: Floats
    sizes: Floats

    @property
    def rate(self) -> float:
        """Sum by size."""
        return float(self.sums.sum() / self.sizes.sum())

    def influences(self) -> Floats:
        """What each unit moves the rate by (Cochran 1977, Sampling Techniques, 6.3); their sum is 0."""
        return np.asarray((self.sums - self.rate * self.sizes) / self.sizes.sum())

    @property
    def moments(self) -> tuple[float, float, float]:
        """Of the rate's distribution, from two units or more: its variance, unbiased and not, and its third moment."""
        influences = self.influences()
        square, units = float(influences @ influences), len(influences)
        return square * units / (units - 1), square, float(influences**2 @ influences)


@dataclass(frozen=True)
class Losses:
    """What each row costs. ``sums`` [N]: its loss times its weight, or its nats; ``sizes`` [N]: its weight, or its tokens.

    texts: an id for each row [N], equal for rows of one text.
    """

    sums: Floats
    sizes: Floats
    texts: NDArray[Any]

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        return np.asarray(np.unique(self.texts, return_inverse=True)[1], np.int64)

    def sample(self, rows: NDArray[Any]) -> Sample:
        """Of the texts of some rows; those without size are no rows."""
        rows = rows[self.sizes[rows] > 0]
        of, count = self._numbers[rows], int(self._numbers.max(initial=-1)) + 1
        here = np.bincount(of, minlength=count) > 0
        sums, sizes = (np.bincount(of, values[rows], count)[here].astype(np.float64) for values in (self.sums, self.sizes))
        return Sample(sums, sizes)

    def without(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """All other rows."""
        rest = np.ones(len(self.sums), np.bool_)
        rest[rows] = False
        return np.flatnonzero(rest)

    def less(self, other: Losses) -> Losses:
        """The differences, row by row, of losses of the same sizes."""
        return replace(self, sums=self.sums - other.sums)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate or a difference of two, its 95 % interval, and the p of there being none."""

    value: float
    low: float
    high: float
    p: float


def mean_of(sample: Sample, tail: float = TAIL) -> Estimate:
    """The rate of a sample of two units or more, by Student's t corrected for skewness (Hall 1992); the interval's upper end is
    the quantile ``tail``.
    """
    variance, square, third = sample.moments
    return _by_t(sample.rate, variance, _skewness(third, square), len(sample.sums) - 1, tail)


def contrast(inside: Sample, outside: Sample) -> Estimate:
    """The rate inside less that outside, of samples of two units or more each.

    The interval is Welch's, corrected for skewness (Hall 1992). p is its p, or where that is at most .05 the larger of it and the
    permutation test's: what is not below .05 by the one is not shown, whatever the other says.
    """
    (here, square, third), (there, others, their_third) = inside.moments, outside.moments
    parts = here**2 / (len(inside.sums) - 1) + there**2 / (len(outside.sums) - 1)
    freedom = (here + there) ** 2 / parts if parts > 0 else 1.0
    skewness = _skewness(third - their_third, square + others)
    found = _by_t(inside.rate - outside.rate, here + there, skewness, freedom)
    if found.p > LEVEL:
        return found
    both = Sample(np.concatenate([inside.sums, outside.sums]), np.concatenate([inside.sizes, outside.sizes]))
    p = permuted(both.influences(), len(inside.sums))
    return Estimate(found.value, found.low, found.high, max(found.p, p))


def holm(ps: list[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given."""
    adjusted, before = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        before = max(before, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = before
    return adjusted


def permuted(values: Floats, count: int) -> float:
    """The two-sided p of the sum of the first ``count`` of ``values`` [U] among the sums of as many drawn at random from them.

    By the double saddlepoint approximation (Robinson 1982, JRSS B 44; Booth & Butler 1990, Biometrika 77), within some per cent
    also far out in the tails, where draws would have to be millions. It takes the logistic regression of belonging on the values.
    """
    spread = float(values.std())
    if spread == 0 or not 0 < count < len(values):
        return 1.0
    e = (values - values.mean()) / spread
    e = e if e[:count].sum() > 0 else -e
    wanted, units = float(e[:count].sum()), len(e)
    largest = np.partition(e, units - count)[units - count :]
    if wanted >= largest.sum() - _EXACT * units:  # as far as any choice reaches, and as many do as ties allow
        tied = np.abs(e - largest.min()) <= _EXACT
        equal, chosen = int(tied.sum()), count - int((e[~tied] > largest.min()).sum())
        return min(1.0, 2 * math.exp(_log_choices(equal, chosen) - _log_choices(units, count)))
    constant, slope, curvature = _logistic(e, count, wanted)
    start = math.log(count / (units - count))
    reached = float(-special.log_expit(-(constant + slope * e)).sum()) - constant * count - slope * wanted
    gain = -units * float(special.log_expit(-start)) - start * count - reached
    w, u = math.sqrt(max(2 * gain, 0.0)), slope * math.sqrt(curvature / (count * (units - count) / units))
    if w < 1e-3 or u <= 0:  # in the middle
        return 1.0
    return float(min(1.0, 2 * special.ndtr(-(w + math.log(u / w) / w))))


def _log_choices(of: int, some: int) -> float:
    """The logarithm of how many ways there are to choose ``some`` of ``of``."""
    return -float(special.betaln(some + 1, of - some + 1)) - math.log(of + 1)


def _logistic(e: Floats, count: int, wanted: float) -> tuple[float, float, float]:
    """The constant and slope at which ``count`` units are expected inside with the sum ``wanted``, and the determinant of the
    second derivatives there, by Newton's method; a step moves no logit by more than 2.
    """
    constant, slope, furthest = math.log(count / (len(e) - count)), 0.0, float(np.abs(e).max())
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-(constant + slope * e)))
        q = p * (1 - p)
        a, b, c = float(q.sum()), float(q @ e), float(q @ (e * e))
        off = float(p.sum()) - count, float(p @ e) - wanted
        curvature = a * c - b * b
        if max(map(abs, off)) < _EXACT * math.sqrt(len(e)) or curvature <= 0:
            break
        steps = (c * off[0] - b * off[1]) / curvature, (a * off[1] - b * off[0]) / curvature
        shorter = min(1.0, 2 / max(abs(steps[0]) + furthest * abs(steps[1]), 1e-300))
        constant, slope = constant - shorter * steps[0], slope - shorter * steps[1]
    return constant, slope, max(curvature, 0.0)


def _skewness(third: float, square: float) -> float:
    return third / square**1.5 if square > 0 else 0.0


def _by_t(value: float, variance: float, skewness: float, freedom: float, tail: float = TAIL) -> Estimate:
    """An estimate from the variance and the skewness of its value."""
    error = math.sqrt(variance)
    if error <= 1e-12 * abs(value) or error == 0:  # all alike
        return Estimate(value, value, value, float(value == 0))
    quantile = float(special.stdtrit(freedom, tail))
    low, high = (value - error * unskewed(side * quantile, skewness) for side in (1, -1))
    p = 2 * float(special.stdtr(freedom, -abs(skew_corrected(value / error, skewness))))
    return Estimate(value, low, high, p)
