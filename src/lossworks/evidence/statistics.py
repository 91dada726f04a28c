"""Inference on paired differences with both sources of variance: the seeds drawn, and the test examples drawn.

d[s, i] is the difference between two arms on example i after training both with seed s. Seeds and examples are crossed:

    d[s, i] = μ + a[s] + b[i] + e[s, i],    Var(mean) = σ²_a / S + σ²_b / N + σ²_e / (S N)

The three are estimated by the mean squares of the two-way layout. Seeds are few, so their variance is estimated badly, and the
interval allows for that: its half width is √(t²(S−1) V_a + t²(N−1) V_b), with V_a from the seeds' means and V_b from what the
examples add. For normal a, b, e such a sum of squared t intervals covers at least as often as its level, whatever the variances
are (Banerjee 1960, "Approximate confidence interval for linear functions of means of k populations when the population
variances are not equal", Sankhyā 22). A Satterthwaite interval is a little shorter, and misses too often with two or three seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..core.seeds import generator
from ..metrics.contrast import LEVEL as LEVEL
from ..metrics.contrast import holm as holm
from ..metrics.roots import root

Floats = NDArray[np.float64]

POWER = 0.8
FLIPS = 9_999
BLOCKS = 100
"""Blocks of examples that the permutation test flips together: their means are closer to symmetric than single examples are."""
_CHUNK = 1 << 20  # values flipped at once
_SMALLEST_TAIL = 1e-15


@dataclass(frozen=True, slots=True)
class Variances:
    """Of the mean of S seeds and N examples: its variance by source.

    seeds: of the seeds' means, the interaction's share included.        examples: what the examples add to that.
    """

    seeds: float
    examples: float
    S: int
    N: int

    @classmethod
    def of(cls, d: Floats) -> Variances:
        """From differences [S, N], two or more of each."""
        seeds, examples, both = mean_squares(d)
        return cls(float(seeds), max(0.0, float(examples - both)), *d.shape)

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.seeds + self.examples)

    def half_width(self, tail: float, more: float = 0.5) -> float:
        """Of the interval that leaves ``tail`` on either side; with ``more``, of the sum of that quantile and another one's."""
        at_seeds, at_examples = (abs(stdtrit(n - 1, tail)) + abs(stdtrit(n - 1, more)) for n in (self.S, self.N))
        return math.sqrt(at_seeds**2 * self.seeds + at_examples**2 * self.examples)

    def p_value(self, distance: float) -> float:
        """The two-sided p whose interval just reaches ``distance``."""
        distance = abs(distance)
        if distance == 0:
            return 1.0
        if self.half_width(_SMALLEST_TAIL) <= distance:
            return 2 * _SMALLEST_TAIL
        return 2 * root(lambda tail: self.half_width(tail) - distance, _SMALLEST_TAIL, 0.5, xtol=1e-17, rtol=1e-9)

    def min_detectable(self, level: float) -> float:
        """The minimum detectable difference: the true one that is shown with 80 % power at ``level``."""
        return self.half_width(level / 2, 1 - POWER)


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean paired difference in the metric's unit, its 95 % interval, and the p-values of no difference.

    p: the interval's, which assumes normality.        p_flips: the sign-flip permutation test's, which does not.
    """

    value: float
    low: float
    high: float
    p: float
    p_flips: float
    variances: Variances

    @property
    def contradicted(self) -> bool:
        """Whether the permutation test does not confirm the difference.

        Where S seeds hold all of the variance, its p is 2^(1−S) at least, by the number of sign patterns: however large, a
        difference would not pass Holm's first step among many arms, nor .05 with five seeds. So this p is not corrected, and with
        few seeds need only be that minimum (halfway to the next, for it is estimated by draws).
        """
        return self.p_flips > max(LEVEL, 1.5 * 2.0 ** (1 - self.variances.S))

    @property
    def shown(self) -> bool:
        """Whether a difference is shown, before any correction for several arms."""
        return self.p <= LEVEL and not self.contradicted

    def p_within(self, margin: float) -> float:
        """One-sided p against a true difference of ``margin`` or more either way (two one-sided tests, Schuirmann 1987)."""
        left = margin - abs(self.value)
        return self.variances.p_value(left) / 2 if left > 0 else 1.0


def difference(d: Floats, seed: int = 0) -> Difference:
    """Interval and tests of the mean of the differences d [S, N]; S and N are two or more."""
    value, variances = float(d.mean()), Variances.of(d)
    half = variances.half_width(LEVEL / 2)
    return Difference(value, value - half, value + half, variances.p_value(value), flips(d, seed), variances)


def by_text(rows: Floats, texts: NDArray[Any] | None) -> Floats:
    """Rows [S, N] of one text as one example [S, G], for they are not independent; the mean is the same.

    texts: an id of each row's text [N]; None: all differ.
    """
    if texts is None or len(found := np.unique(texts)) == rows.shape[1]:
        return rows
    sums = np.zeros((len(found), len(rows)))
    np.add.at(sums, np.searchsorted(found, texts), rows.T)
    return np.asarray(sums.T * (len(found) / rows.shape[1]))


def mean_squares(d: Floats) -> tuple[Floats, Floats, Floats]:
    """Estimates of σ²_a/S + σ²_e/(SN), σ²_b/N + σ²_e/(SN), and σ²_e/(SN), of d [..., S, N]."""
    S, N = d.shape[-2:]
    of_seeds, of_examples = d.mean(-1), d.mean(-2)
    seeds, examples = (means.var(-1, ddof=1) / means.shape[-1] for means in (of_seeds, of_examples))
    rest = d - of_seeds[..., None] - of_examples[..., None, :] + of_seeds.mean(-1)[..., None, None]
    return seeds, examples, (rest**2).sum((-2, -1)) / ((S - 1) * (N - 1) * S * N)


def flips(d: Floats, seed: int = 0, count: int = FLIPS) -> float:
    """The p of a sign-flip test of no mean difference, two-sided.

    Flipping the signs of whole seeds alone would treat the test examples as fixed, and of examples alone the seeds. So d
    is decomposed into a[s], b[i], e[s, i]; under no difference each is as likely as its negative, and gets its own signs. The
    parts are scaled to their estimated variances, and the mean, which under no difference came of the three by chance, is
    divided among them in proportion to those. The statistic is the mean by its two-way standard error. Where one source has
    all of the variance this is the exact sign-flip test over that source alone.
    """
    blocks = _in_blocks(d, seed)
    S, B = blocks.shape
    seeds, examples, both = (float(square) for square in mean_squares(blocks))
    shares = np.array([max(seeds - both, 0.0), max(examples - both, 0.0), both])
    mean, total = float(blocks.mean()), float(shares.sum())
    if total <= 1e-24 * mean * mean:  # all alike, but for rounding
        return 1.0 if mean == 0 else 2.0 ** (1 - S)
    of_seeds, of_examples = blocks.mean(1) - mean, blocks.mean(0) - mean
    rest = blocks - mean - of_seeds[:, None] - of_examples
    a, b, e = shares / total * mean
    a = a + of_seeds * math.sqrt(shares[0] / seeds if seeds else 0.0)
    b = b + of_examples * math.sqrt(shares[1] / examples if examples else 0.0)
    observed = abs(mean) / math.sqrt(total) * (1 - 1e-9)
    draw, reached, left = generator(seed, "flips"), 0, count
    while left:
        some = min(left, max(1, _CHUNK // (S * B)))
        left -= some
        u, v, w = (draw.integers(0, 2, (some, *shape), np.int8) * np.int8(2) - np.int8(1) for shape in ((S, 1), (1, B), (S, B)))
        reached += int((_studentised(u * a[:, None] + v * b + w * (e + rest)) >= observed).sum())
    return (1 + reached) / (1 + count)


def _studentised(d: Floats) -> Floats:
    seeds, examples, both = mean_squares(d)
    variance = np.maximum(seeds - both, 0) + np.maximum(examples - both, 0) + both
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic: Floats = np.nan_to_num(np.abs(d.mean((-2, -1))) / np.sqrt(variance), nan=0.0, posinf=math.inf)
    return statistic


def _in_blocks(d: Floats, seed: int) -> Floats:
    """The means [S, B] of blocks of examples drawn at random, all of one size; a few examples may be left out."""
    S, N = d.shape
    if N <= BLOCKS:
        return d
    size = N // BLOCKS
    chosen = generator(seed, "blocks").permutation(N)[: size * BLOCKS]
    means: Floats = d[:, chosen].reshape(S, BLOCKS, size).mean(2)
    return means
