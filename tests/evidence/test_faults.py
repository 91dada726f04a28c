"""Faults planted in the statistics: each is caught by the check that its correct form passes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lossworks.evidence import statistics
from lossworks.evidence.statistics import Variances

from .simulated import draw, family, found, level

Array = NDArray[np.float64]


@pytest.fixture(autouse=True)
def by_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval's p alone: the permutation test would hide some of what is planted."""
    monkeypatch.setattr(statistics, "flips", lambda d, seed=0, count=0: 0.0)


def power() -> float:
    """How often a planted difference is shown where examples are hard for both arms alike, which only pairs can tell."""
    rng, shown = np.random.default_rng(5), 0
    for k in range(100):
        hard, a, b = rng.normal(0, 30, (1, 60)), draw(rng, 5, 60, (0.1, 0.1, 0.1)), draw(rng, 5, 60, (0.1, 0.1, 0.1))
        shown += _paired(hard + a + 3, hard + b, k) <= 0.05
    return shown / 100


def _paired(arm: Array, baseline: Array, seed: int) -> float:
    return statistics.difference(arm - baseline, seed).p


def _unpaired(arm: Array, baseline: Array, seed: int) -> float:
    one, other = Variances.of(arm), Variances.of(baseline)
    both = Variances(one.seeds + other.seeds, one.examples + other.examples, one.S, one.N)
    return both.p_value(float(arm.mean() - baseline.mean()))


def test_sound() -> None:
    """Nothing planted: every check passes."""
    assert level((1, 0.3, 0.3)) <= 0.08
    assert level((0.2, 1, 0.3)) <= 0.08
    assert level((1, 0, 0.1), times=600) <= 0.07
    assert family() <= 0.13
    assert power() >= 0.9


def test_unpaired_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variances of two independent means: what pairs could tell is lost."""
    monkeypatch.setitem(globals(), "_paired", _unpaired)
    assert power() < 0.5


def test_seeds_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples' variance alone, as if these seeds were all there are: noise is taken for differences."""

    def without(cls: type[Variances], d: Array) -> Variances:
        _, examples, _ = statistics.mean_squares(d)
        return cls(0.0, float(examples), *d.shape)

    monkeypatch.setattr(Variances, "of", classmethod(without))
    assert level((1, 0.3, 0.3)) > 0.15


def test_examples_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeds' variance alone, as if these test rows were all there are."""

    def without(cls: type[Variances], d: Array) -> Variances:
        seeds, _, _ = statistics.mean_squares(d)
        return cls(float(seeds), 0.0, *d.shape)

    monkeypatch.setattr(Variances, "of", classmethod(without))
    assert level((0.2, 1, 0.3)) > 0.15


def test_every_number_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    """All S × N differences taken for independent ones."""

    def pooled(cls: type[Variances], d: Array) -> Variances:
        return cls(0.0, float(d.var(ddof=1)) / d.size, *d.shape)

    monkeypatch.setattr(Variances, "of", classmethod(pooled))
    assert level((1, 0.3, 0.3)) > 0.15
    assert level((0.2, 1, 0.3)) > 0.15


def test_no_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Holm's correction some of many arms are called different by chance."""
    monkeypatch.setattr(statistics, "holm", lambda ps: ps)
    assert family() > 0.25


def test_one_sided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A one-sided p, the side chosen after a look: twice the level."""
    honest = Variances.p_value
    monkeypatch.setattr(Variances, "p_value", lambda self, distance: honest(self, distance) / 2)
    assert level((1, 0, 0.1), times=600) > 0.08


def test_normal_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normal quantiles for two or three seeds, in the place of Student's."""
    from scipy.special import ndtri

    monkeypatch.setattr(statistics, "stdtrit", lambda df, tail: ndtri(tail))
    assert level((1, 0.3, 0.3), seeds=3) > 0.12
    assert math.isfinite(found((1, 1, 1), times=1)[0].p)
