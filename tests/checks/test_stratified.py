"""Counts of wrong rows from stratified samples: exact where that can be found otherwise, and true in every case of a design."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from lossworks.checks.stratified import TAIL, Sampled, wrong_rows


def of(*strata: tuple[int, int, int]) -> Sampled:
    """Strata of (rows, drawn, wrong)."""
    return Sampled(*np.array(strata).T)


def chance(rows: int, bad: int, drawn: int, wrong: int) -> float:
    """P(so many wrong in the sample), from binomial coefficients."""
    return comb(bad, wrong) * comb(rows - bad, drawn - wrong) / comb(rows, drawn)


@pytest.mark.parametrize("wrong", [0, 1, 4, 8, 9])
def test_one_stratum_is_exact(wrong: int) -> None:
    """With one stratum the interval is that of Clopper and Pearson without replacement, found here by trying every number."""
    rows, drawn = 40, 9
    possible = range(wrong, rows - drawn + wrong + 1)
    above = {bad: sum(chance(rows, bad, drawn, x) for x in range(wrong, drawn + 1)) for bad in possible}
    below = {bad: sum(chance(rows, bad, drawn, x) for x in range(wrong + 1)) for bad in possible}
    wanted = min(bad for bad in possible if above[bad] > TAIL), max(bad for bad in possible if below[bad] > TAIL)
    assert of((rows, drawn, wrong)).interval() == wanted


def test_all_rows_looked_at() -> None:
    """What was looked at in full is known."""
    assert of((30, 30, 7), (50, 50, 2)).interval() == (9, 9)
    assert of((30, 30, 0)).interval() == (0, 0)


def test_most_likely_division() -> None:
    """For every total, the division among strata is the one of the highest likelihood, found here by trying all."""
    sampled = of((12, 4, 2), (9, 3, 0), (20, 5, 1))
    strata = list(zip(sampled.rows, sampled.drawn, sampled.wrong, strict=True))

    def likelihood(bad: tuple[int, ...]) -> float:
        return float(np.prod([chance(int(n), b, int(k), int(x)) for (n, k, x), b in zip(strata, bad, strict=True)]))

    every = list(product(*(range(int(x), int(n - k + x) + 1) for n, k, x in strata)))
    division = sampled._division()
    for unseen in range(len(division) + 1):
        ours = tuple((sampled.wrong + np.bincount(division[:unseen], minlength=3)).tolist())
        best = max(likelihood(bad) for bad in every if sum(bad) == sum(ours))
        assert likelihood(ours) == pytest.approx(best, rel=1e-9)


def test_distribution_of_the_estimate() -> None:
    """The chances on the grid are those of all samples, counted one by one."""
    sampled = of((12, 3, 1), (30, 4, 2))
    shifts, observed = sampled._lattice()
    found = sampled._distribution(np.array([5, 8]), shifts)
    wanted = np.zeros_like(found)
    for x, y in product(range(4), range(5)):
        wanted[shifts[0][x] + shifts[1][y]] += chance(12, 5, 3, x) * chance(30, 8, 4, y)
    np.testing.assert_allclose(found, wanted, atol=1e-14)
    assert observed == shifts[0][1] + shifts[1][2]
    unit = 42 / 4000
    assert observed * unit == pytest.approx(12 * 1 / 3 + 30 * 2 / 4, abs=0.02)


def test_covers_whatever_the_truth() -> None:
    """In a small design every number and division of wrong rows is covered in 95 % of samples or more, computed exactly."""
    (a, few), (b, more) = (20, 5), (60, 7)
    ends = {(x, y): of((a, few, x), (b, more, y)).interval() for x in range(few + 1) for y in range(more + 1)}
    coverage = {}
    for p, q in product(range(0, a + 1, 2), range(0, b + 1, 4)):
        hit = [(x, y) for (x, y), (low, high) in ends.items() if low <= p + q <= high]
        coverage[p, q] = sum(
            chance(a, p, few, x) * chance(b, q, more, y)
            for x, y in hit
            if x <= p and few - x <= a - p and y <= q and more - y <= b - q
        )
    assert min(coverage.values()) >= 0.95
    assert np.mean(list(coverage.values())) < 0.995  # and not by saying nothing


def test_unsure_rows_widen_the_interval() -> None:
    """Rows that cannot be told are right at one end and wrong at the other, and the value leaves them out."""
    rows, drawn, wrong = np.array([100, 400]), np.array([10, 20]), np.array([6, 2])
    sure = wrong_rows(rows, drawn, wrong, np.array([0, 0]))
    open_ = wrong_rows(rows, drawn, wrong, np.array([2, 5]))
    assert sure.value == pytest.approx(100 * 6 / 10 + 400 * 2 / 20)
    assert open_.value == pytest.approx(100 * 6 / 8 + 400 * 2 / 15)
    assert open_.low == sure.low
    assert open_.high == wrong_rows(rows, drawn, np.array([8, 7]), np.array([0, 0])).high > sure.high


def test_large_strata_stay_fast_and_finite() -> None:
    """A million rows in thirteen strata: no factorial overflows, and the ends enclose the estimate."""
    rows = np.array([100, 100, 300, 500, 1000, 3000, 5000, 10_000, 30_000, 50_000, 100_000, 300_000, 500_000])
    drawn = np.minimum(rows, 15)
    wrong = np.array([15, 14, 12, 10, 8, 5, 3, 2, 1, 1, 0, 0, 0])
    found = wrong_rows(rows, drawn, wrong, np.zeros_like(wrong))
    assert wrong.sum() <= found.low < found.value < found.high < 300_000
