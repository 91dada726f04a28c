"""The paired difference: its variances, interval, tests and correction, against numbers by hand and by simulation."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from lossworks.evidence import statistics
from lossworks.evidence.statistics import Variances, by_text, difference, flips, holm, mean_squares

from .simulated import SHARES, Shares, coverage, draw, family, found, level

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def few_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough flips to tell .05 from .1, and blocks as few as the simulated examples need."""
    real = statistics.flips
    monkeypatch.setattr(statistics, "BLOCKS", 30)
    monkeypatch.setattr(statistics, "flips", lambda d, seed=0, count=199: real(d, seed, count))


def test_mean_squares_by_hand() -> None:
    """Two seeds, three examples: the sums of squares of the two-way layout, worked out on paper."""
    d = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 4.0]])
    seeds, examples, both = mean_squares(d)  # seeds' means 3, 3; examples' means 2, 2, 5; rest ±1, 0, ±1
    assert seeds == pytest.approx(0.0)
    assert examples == pytest.approx((1 + 1 + 4) / 2 / 3)
    assert both == pytest.approx(4 / (1 * 2) / 6)


def test_rows_of_one_text_are_one_example() -> None:
    """Rows that recur four times have the interval of each once; texts that recur unevenly weigh as much as their rows."""
    d = np.random.default_rng(4).normal(0.1, 1, (3, 40))
    ids = np.arange(40) % 7 * 100 + np.arange(40)
    once, often = difference(d), difference(by_text(np.tile(d, 4), np.tile(ids, 4)))
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))
    assert difference(np.tile(d, 4)).high < once.high
    assert by_text(d, ids) is d
    assert by_text(d, None) is d
    uneven = np.array([7, 7, 7, *range(10, 47)])
    assert by_text(d, uneven).shape == (3, 38)
    np.testing.assert_allclose(by_text(d, uneven).mean(1), d.mean(1))


@pytest.mark.parametrize("shares", SHARES)
def test_variance_is_unbiased(shares: Shares) -> None:
    """The three estimates have the means that the model of crossed effects says."""
    rng = np.random.default_rng(1)
    S, N = 6, 20
    d = np.stack([draw(rng, S, N, shares) for _ in range(4000)])
    a, b, e = shares
    for estimate, truth in zip(mean_squares(d), (a + e, b + e, e), strict=True):
        assert estimate.mean() == pytest.approx(truth, rel=0.1, abs=1e-12)


def test_one_source_is_students_test() -> None:
    """Where the examples all say the same, it is Student's paired t over the seeds; interval and p are those of SciPy."""
    x = RNG.normal(0.5, 1, 7)
    found = difference(np.repeat(x[:, None], 12, 1))
    low, high = stats.t.interval(0.95, 6, x.mean(), stats.sem(x))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.p == pytest.approx(stats.ttest_1samp(x, 0).pvalue, rel=1e-6)


def test_seeds_that_change_nothing() -> None:
    """Where every seed gives the same, it is Student's paired t over the examples, not one over copies of them."""
    x = RNG.normal(0.1, 1, 40)
    found = difference(np.repeat(x[None], 8, 0))
    assert found.p == pytest.approx(stats.ttest_1samp(x, 0).pvalue, rel=1e-6)
    assert found.variances.standard_error == pytest.approx(stats.sem(x))


def test_flips_of_one_source_are_the_exact_test() -> None:
    """With the variance all in seven seeds, p is the share of their 128 sign patterns that reach as far."""
    x = np.array([0.9, 1.4, 0.2, 1.1, -0.3, 0.8, 0.7])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1).T
    exact = float((np.abs(signs @ x) >= abs(x.sum()) - 1e-9).mean())
    assert flips(np.repeat(x[:, None], 5, 1), count=20_000) == pytest.approx(exact, abs=0.005)


def test_flips_need_more_than_one_sign() -> None:
    """Four seeds that hold all of the variance cannot reach .05, however large the difference; with the examples they can."""
    x = np.array([5.0, 5.1, 4.9, 5.2])
    assert flips(np.repeat(x[:, None], 50, 1)) > 0.1
    assert flips(5 + RNG.normal(size=(4, 50))) < 0.02


def test_no_variance_at_all() -> None:
    """No difference anywhere is no difference, for certain; one and the same difference everywhere is rare by the seeds alone."""
    same = difference(np.zeros((4, 9)))
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert difference(np.full((4, 9), 0.25)).p_flips == 2 / 2**4


def test_p_and_interval_agree() -> None:
    """The interval's p is .05 just where the interval ends at zero."""
    d = RNG.normal(size=(5, 30))
    half = Variances.of(d).half_width(0.025)
    moved = difference(d - d.mean() + half)
    assert moved.p == pytest.approx(0.05, rel=1e-6)
    assert moved.low == pytest.approx(0, abs=1e-9)


def test_smallest_difference_is_found_four_times_in_five() -> None:
    """A true difference of the size that is said to be mostly shown is shown in about 80 % of draws."""
    shares = (0.5, 1, 0.5)
    size = float(np.mean([one.variances.min_detectable(0.05) for one in found(shares, seeds=8, times=150)]))
    shown = np.mean([one.p <= 0.05 for one in found(shares, seeds=8, effect=size, times=300)])
    assert 0.72 <= shown <= 0.95


def test_holm_by_hand() -> None:
    """Four p-values: times 4, 3, 2, 1 from the smallest on, never falling, never above 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("shares", SHARES)
def test_level(shares: Shares, seeds: int) -> None:
    """Where there is no difference, it is shown in at most 5 % of draws (and three binomial sd), with two seeds as with eight."""
    assert level(shares, seeds=seeds, times=150) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 150)


@pytest.mark.parametrize("shares", SHARES)
def test_coverage(shares: Shares) -> None:
    """The interval holds the true difference in about 95 % of draws: not fewer, and not always."""
    share = coverage(shares, effect=1.0, times=400)
    assert 0.95 - 3 * sqrt(0.05 * 0.95 / 400) <= share <= 0.995


def test_level_of_skewed_losses() -> None:
    """Losses of single examples are skewed; with as many as a test part has, the level holds."""
    assert level((0.3, 1, 1), examples=120, skewed=True, times=200) <= 0.05 + 3 * sqrt(0.05 * 0.95 / 200)


def test_level_over_many_arms() -> None:
    """Of fifteen arms without a difference, any is called different in at most 5 % of comparisons."""
    assert family() <= 0.05 + 3 * sqrt(0.05 * 0.95 / 60)
