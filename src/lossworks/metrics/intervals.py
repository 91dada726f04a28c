"""95 % intervals for proportions, means and F1, in closed form: no resampling, so a million rows cost milliseconds.

Rows may carry weights. `effective` scales them so that their sum, and the sum of their squares, is the effective
number of rows (Kish 1965); every formula below then serves weighted and unweighted rows alike. Rows of one group, such as
repeats of one text, are not independent: a group then counts as one row with the weight of all of its rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .student import quantile

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TAIL = 0.975  # two tails of 2.5 %
Z = NormalDist().inv_cdf(TAIL)
FEW = 20  # rows below which equal values tell nothing of how much others differ


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric and its 95 % interval. A bound that the rows do not settle is infinite; an undefined value is nan."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """The three numbers; what is not finite becomes None, because JSON cannot spell it."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {key: float(number) if math.isfinite(number) else None for key, number in numbers.items()}


def effective(weights: Any | None, rows: int, groups: Ints | None = None) -> Floats:
    """Weights [rows] scaled so that sum = sum of squares (of the groups' sums) = the effective number of rows, or of groups."""
    if weights is None and groups is None:
        return np.ones(rows)
    raw = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
    sums = by_group(raw, groups)
    return np.asarray(raw * (raw.sum() / (sums @ sums)))


def by_group(values: Floats, groups: Ints | None) -> Floats:
    """Sums of values [N] over groups 0 to G-1 [N]; without groups the values themselves."""
    return values if groups is None else np.asarray(np.bincount(groups, values), np.float64)


def proportion(hits: NDArray[np.bool_] | Floats, weights: Floats) -> Interval:
    """The share of ``hits``, with the score interval of Wilson (1927), which holds even at 0 and 1. Of numbers between 0 and 1,
    whose variance is no larger than that of hits of the same mean, it is their mean.
    """
    n = float(weights @ np.ones(len(weights)))  # in the order of the next sum, so that all hits are 1
    share = float(weights @ hits) / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def mean(
    values: Floats,
    weights: Floats,
    groups: Ints | None = None,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    few: int = FEW,
) -> Interval:
    """The mean of ``values``, which lie in [low, high], with Student's interval corrected for skewness.

    Losses are skewed: many rows cost little, a few cost much, and the plain interval then misses too often on the
    costly side. The correction is the monotone cubic transformation of Hall (1992, "On the removal of skewness by
    transformation", JRSS B 54). One row alone settles nothing, nor do fewer than ``few`` that are all equal: the interval is
    then all of [low, high].

    Args:
        values, weights: of each row [N]; the weights as `effective` scales them.
        groups: the group of each row [N], 0 to G-1; None: every row is independent.
        low, high: the range of the values.
        few: the number of rows from which equal values have an interval of no width.
    """
    if groups is not None:
        sums, weights = by_group(weights * values, groups), by_group(weights, groups)
        values = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0)
    n = float(weights.sum())
    centre = float(weights @ values) / n
    if n <= 1:
        return Interval(centre, low, high)
    away = values - centre
    square = away * away
    spread = math.sqrt(float(weights @ square) / n)
    if spread <= 1e-12 * abs(centre) or spread == 0:
        return Interval(centre, low, high) if n < few else Interval(centre, centre, centre)
    skew = float((weights * away) @ square) / n / spread**3
    error = spread / math.sqrt(float(n - 1))
    far = quantile(n - 1, TAIL)
    below, above = (centre - error * unskewed(side * far, skew / math.sqrt(n)) for side in (1, -1))
    return clipped(centre, below, above, low, high)


def paired(values: Floats, others: Floats, groups: Ints | None = None) -> tuple[Interval, Interval, Interval]:
    """The means of two metrics over the same rows [N], and of their differences, row by row: what makes a row hard for both does
    not widen that interval. groups: as of ``mean``.
    """
    weights = effective(None, len(values), groups)
    found = [mean(each, weights, groups) for each in (values, others, values - others)]
    return found[0], found[1], found[2]


def over_trainings(values: Floats) -> Interval:
    """The mean of a metric over the K folds of a cross-validation, with Student's interval for training sets that overlap: the
    variance of the mean is (1/K + test/train) s², where a fold's test rows are 1/(K - 1) of its training rows.

    Source: Nadeau and Bengio 2003, "Inference for the generalization error", Machine Learning 52, section 3.
    """
    count = len(values)
    centre = float(values.mean())
    half = quantile(count - 1, TAIL) * math.sqrt((1 / count + 1 / (count - 1)) * float(values.var(ddof=1)))
    return Interval(centre, centre - half, centre + half)


def ratio(parts: Floats, wholes: Floats, low: float = -math.inf, high: float = math.inf) -> Interval:
    """Σ parts / Σ wholes over segments drawn at random (texts, say), with an interval from its linearisation.

    Each segment's influence on the ratio is (part - ratio · whole) / mean whole (Cochran 1977, Sampling Techniques, 6.3), and the
    interval that of the mean of the influences. Segments of wholes 0 are left out; without any the ratio is nan. Two equal ones
    have no width: a rate such as that of unknown tokens is often the same by construction. With an infinite part nothing is
    known but that the ratio is infinite too.
    """
    parts, wholes = parts[wholes > 0], wholes[wholes > 0]
    if not len(wholes):
        return Interval(math.nan, low, high)
    value = float(parts.sum() / wholes.sum())
    if not math.isfinite(value):
        return Interval(value, low, high)
    influence = (parts - value * wholes) / wholes.mean()
    return mean(value + influence - influence.mean(), np.ones(len(wholes)), low=low, high=high, few=2)


def f1(value: float, smooth: float, square_sum: float, n: float) -> Interval:
    """An F1, or a mean of F1s, with an interval from its linearisation.

    At F1 = 1 the linearisation claims certainty, so two wholly right and two wholly wrong rows are imagined
    beside the ``n`` real ones, as Agresti and Coull (1998) do for proportions. ``smooth`` is the F1 with them,
    ``square_sum`` the sum over the real rows of (weight × influence on the F1)².
    Source: Takahashi et al. 2022, "Confidence interval for micro-averaged F1 and macro-averaged F1 scores".
    """
    imagined = 2 * ((1 - smooth) ** 2 + smooth**2) / (n + 4) ** 2
    half = Z * math.sqrt(square_sum + imagined)
    return clipped(value, smooth - half, smooth + half, 0.0, 1.0)


def smoothed_f1(twice_right: Floats, named: Floats, n: float) -> tuple[Floats, Floats]:
    """F1 per label, and its denominator, with the four imagined rows of `f1`.

    ``twice_right`` [L] counts true positives twice; ``named`` [L] counts a label wherever it is true or predicted.
    """
    denominator = named * (1 + 4 / n)
    return (twice_right + named * (2 / n)) / denominator, denominator


def square_sum(parts: Floats, groups: Ints | None) -> float:
    """Σ parts², those of one group summed first: the variance of Σ parts."""
    return float((by_group(parts, groups) ** 2).sum())


def clipped(value: float, low: float, high: float, floor: float, ceiling: float) -> Interval:
    """An interval inside [floor, ceiling] that always holds its own value."""
    return Interval(value, max(floor, min(low, value)), min(ceiling, max(high, value)))


def unskewed(quantile: float, step: float) -> float:
    """Where the skewed t statistic has the quantile that the symmetric one has at ``quantile``; ``step``: the skewness of the
    estimate, which of a mean of n is that of the rows by √n.
    """
    if abs(step) < 1e-6:
        return quantile
    return float(3 / step * (np.cbrt(1 + step * quantile - step * step / 6) - 1))


def skew_corrected(t: float, step: float) -> float:
    """The symmetric t statistic that is as far out as the skewed one is at ``t``: the inverse of ``unskewed``."""
    return t + step * t * t / 3 + step * step * t**3 / 27 + step / 6
