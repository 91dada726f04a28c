"""One part against the rest: p by enumeration and by SciPy, and how often something is found where there is nothing."""

from __future__ import annotations

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from lossworks.metrics.contrast import Sample, contrast, holm, mean_of, permuted
from lossworks.metrics.intervals import ratio

Floats = NDArray[np.float64]


def sample(values: Floats) -> Sample:
    """Rows that each count once."""
    return Sample(values, np.ones(len(values)))


@pytest.mark.parametrize("seed", range(6))
def test_permutation_by_enumeration(seed: int) -> None:
    """Of skewed numbers the p is the share of all choices that reach as far, doubled, within a fifth."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.lognormal(size=18))
    values = values[rng.permutation(18)] if seed < 3 else np.concatenate([values[-9:-2], values[:-9], values[-2:]])
    away = values - values.mean()
    sums = away[np.array(list(combinations(range(18), 7)))].sum(1) * np.sign(away[:7].sum())
    exact = min(1.0, 2 * float((sums >= abs(away[:7].sum()) - 1e-9).mean()))
    assert permuted(values, 7) == pytest.approx(exact, rel=0.2)


def test_permutation_at_the_ends() -> None:
    """The largest values of all are one choice among as many as there are, ties counted; equal values are no difference."""
    values = np.arange(30.0)[::-1]
    assert permuted(values, 6) == pytest.approx(2 / comb(30, 6))
    assert permuted(-values, 6) == pytest.approx(2 / comb(30, 6))
    tied = np.repeat([1.0, 0.0], [10, 40])
    assert permuted(tied, 4) == pytest.approx(2 * comb(10, 4) / comb(50, 4))
    assert permuted(np.ones(9), 3) == 1.0


def test_far_out() -> None:
    """A p of 1e-30 is found as the normal theory, which is right of normal numbers, has it."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0.8, 1, 400), rng.normal(0, 1, 4000)])
    p = stats.ttest_ind(values[:400], values[400:]).pvalue
    assert p < 1e-30
    assert np.log(permuted(values, 400)) == pytest.approx(np.log(p), rel=0.05)


def test_welch() -> None:
    """Of symmetric numbers interval and p are Welch's; the other spread inside is told from another mean."""
    inside, outside = np.concatenate([x := np.linspace(-1, 1, 30), -x]) + 0.3, np.linspace(-4, 4, 300)
    found = contrast(sample(inside), sample(outside))
    theirs = stats.ttest_ind(inside, outside, equal_var=False)
    low, high = theirs.confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx((0.3, low, high))
    assert found.p == pytest.approx(theirs.pvalue)  # above .05, where no permutation is asked


def test_the_larger_p() -> None:
    """What Welch's test is sure of, the permutation test must be too."""
    rng = np.random.default_rng(5)
    inside, outside = rng.exponential(size=30) * 0.2, rng.exponential(size=500)
    found = contrast(sample(inside), sample(outside))
    assert found.p == pytest.approx(permuted(np.concatenate([inside, outside]), 30), rel=1e-6)
    assert found.p > 1e9 * stats.ttest_ind(inside, outside, equal_var=False).pvalue


def test_rates_by_size() -> None:
    """Units of other sizes: the difference of two ratios of sums, its interval that of resampling the units."""
    rng = np.random.default_rng(1)
    sizes = [rng.integers(1, 30, n).astype(float) for n in (80, 200)]
    sums = [size * level + rng.normal(0, 3, len(size)) for size, level in zip(sizes, (1.2, 1.0), strict=True)]
    found = contrast(Sample(sums[0], sizes[0]), Sample(sums[1], sizes[1]))
    drawn = []
    for total, size in zip(sums, sizes, strict=True):
        chosen = rng.integers(0, len(size), (4000, len(size)))
        drawn.append(total[chosen].sum(1) / size[chosen].sum(1))
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
    assert found.value == pytest.approx(sums[0].sum() / sizes[0].sum() - sums[1].sum() / sizes[1].sum())
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.1 * (high - low))


def test_one_sample() -> None:
    """The interval of a ratio as metrics have it; p is .05 where it ends at zero."""
    rng = np.random.default_rng(2)
    sums, sizes = rng.exponential(size=50), rng.integers(1, 9, 50).astype(float)
    found, theirs = mean_of(Sample(sums, sizes)), ratio(sums, sizes)
    assert (found.value, found.low, found.high) == pytest.approx((theirs.value, theirs.low, theirs.high))
    assert mean_of(Sample(sums - found.low * sizes, sizes)).p == pytest.approx(0.05)
    assert mean_of(sample(np.zeros(5))).p == 1.0
    assert mean_of(sample(np.ones(5))).p == 0.0


LOSSES = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, n),
    "mostly none": lambda rng, n: np.where(rng.random(n) < 0.05, rng.exponential(4, n), rng.exponential(0.05, n)),
    "right or wrong": lambda rng, n: (rng.random(n) < 0.1).astype(float),
}


@pytest.mark.parametrize("losses", LOSSES)
def test_level_over_random_slices(losses: str) -> None:
    """Of thirty random slices of skewed losses, any is called different in at most 5 % of families, by Holm's correction."""
    rng, wrong, families = np.random.default_rng(3), 0, 60
    for _ in range(families):
        values, ps = LOSSES[losses](rng, 300), []
        for _ in range(30):
            order, size = rng.permutation(300), int(np.exp(rng.uniform(np.log(20), np.log(200))))
            ps.append(contrast(sample(values[order[:size]]), sample(values[order[size:]])).p)
        wrong += min(holm(ps)) <= 0.05
    assert wrong / families <= 0.05 + 2 * sqrt(0.05 * 0.95 / families)


@pytest.mark.parametrize(("spread", "size"), [(0.3, 20), (3.0, 20), (3.0, 100)])
def test_level_where_only_the_spread_differs(spread: float, size: int) -> None:
    """Losses that are more, or less, spread out inside, and no larger on average, are called larger in some 5 % of draws."""
    rng = np.random.default_rng(4)
    ps = [
        contrast(sample((rng.exponential(size=size) - 1) * spread), sample(rng.exponential(size=500) - 1)).p for _ in range(200)
    ]
    assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 2 * sqrt(0.05 * 0.95 / 200)
