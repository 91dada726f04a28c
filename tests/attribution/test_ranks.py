"""Rank correlations beside SciPy's, and their interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lossworks.attribution.ranks import beside, interval, standard_ranks


def test_spearman() -> None:
    """Products sum to Spearman's correlation, with ties and without, one by one and many at once."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (20, 30)).astype(float), rng.standard_normal(30)
    found = standard_ranks(a) @ standard_ranks(b)
    np.testing.assert_allclose(found, [stats.spearmanr(row, b).statistic for row in a], atol=1e-12)


def test_alike() -> None:
    """What differs by rounding alone is alike, and what is all alike correlates with nothing; infinities have a rank."""
    assert not standard_ranks(np.full(5, 3.0)).any()
    assert not standard_ranks(1 + np.array([0, 1e-8, 2e-8]), alike=1e-6).any()
    first, second, third = standard_ranks(np.array([1.0, 1 + 1e-15, 2.0]))
    assert first == second < third
    ranks = standard_ranks(np.array([np.inf, -np.inf, 7.0, np.inf]))
    assert ranks[1] < ranks[2] < ranks[0] == ranks[3]


def test_interval_covers() -> None:
    """The interval has the true rank correlation in it in 95 of 100 draws."""
    rng, r = np.random.default_rng(1), 0.8
    true = 6 / np.pi * np.arcsin(r / 2)  # of normal numbers
    a = rng.standard_normal((600, 40))
    b = r * a + np.sqrt(1 - r * r) * rng.standard_normal((600, 40))
    found = [interval(float(each), 40) for each in (standard_ranks(a) * standard_ranks(b)).sum(1)]
    inside = np.mean([low <= true <= high for low, high in found])
    assert 0.925 <= inside <= 0.99
    assert interval(1.0, 10) == (1.0, 1.0)


def test_beside() -> None:
    """What sizes foretell is left out, and no more, whether or not they depend on one another."""
    rng = np.random.default_rng(2)
    sizes, rest = rng.standard_normal((30, 2)), rng.standard_normal((3, 30))
    sizes = np.column_stack([sizes, sizes.sum(1)])
    columns = np.column_stack([np.ones(30), sizes])
    wanted = [row - columns @ np.linalg.lstsq(columns, row, rcond=None)[0] for row in rest]
    np.testing.assert_allclose(beside(sizes, rest), wanted, atol=1e-9)
    assert not beside(sizes, 3 + sizes @ np.array([1.0, 2.0, 3.0])).any()


@pytest.mark.parametrize("value", [0.0, 0.5, -0.9])
def test_interval_around(value: float) -> None:
    """The value lies in its interval, which is narrower of more pairs."""
    low, high = interval(value, 20)
    closer, farther = interval(value, 60)
    assert low < closer < value < farther < high
