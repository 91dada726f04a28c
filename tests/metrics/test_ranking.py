"""Filtered ranks against their definition query by query; ties and what is no number are never to a model's good."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.metrics import Ranks, ranked, ranking

NONE = (np.empty(0, np.int64), np.empty(0, np.int64))


def test_by_hand() -> None:
    """Better ones and ties among what is not known to be true."""
    scores = np.array([[5.0, 4, 4, 3, 4], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]])
    known = np.array([0, 1, 2, 2]), np.array([0, 4, 4, 2])
    found = ranked(scores, np.array([1, 0, 2]), known)
    assert found.better.tolist() == [0, 0, 1]
    assert found.ties.tolist() == [2, 3, 0]
    assert found.rank.tolist() == [2.0, 2.5, 2.0]
    assert found.hits(1).tolist() == [pytest.approx(1 / 3), 0.25, 0.0]
    assert found.hits(3).tolist() == [1.0, 0.75, 1.0]


def test_definition() -> None:
    """On many queries with ties the same as one by one."""
    rng = np.random.default_rng(0)
    scores, target = rng.integers(0, 6, (200, 12)).astype(np.float32), rng.integers(0, 12, 200)
    true = rng.random((200, 12)) < 0.3
    found = ranked(scores, target, np.nonzero(true))
    for row in range(200):
        others = [v for v in range(12) if v != target[row] and not true[row, v]]
        own = scores[row, target[row]]
        assert found.better[row] == sum(scores[row, v] > own for v in others)
        assert found.ties[row] == sum(scores[row, v] == own for v in others)


def test_expected_of_ties() -> None:
    """Hits are the mean over all orders of the ties, and so no less than they should be; the reciprocal rank is no more."""
    ranks = Ranks(np.array([2]), np.array([4]))
    drawn = np.arange(3, 8)  # the ranks that a lot may give, all as probable
    for most in (1, 3, 5, 10):
        assert ranks.hits(most)[0] == pytest.approx((drawn <= most).mean())
    assert ranks.rank[0] == drawn.mean()
    assert 1 / ranks.rank[0] <= (1 / drawn).mean()


def test_constant_scores_are_chance() -> None:
    """A model that scores all alike has the rank in the middle, not the first."""
    found = ranked(np.zeros((3, 101)), np.array([0, 50, 100]), NONE)
    assert found.rank.tolist() == [51.0] * 3
    assert found.hits(10) == pytest.approx(10 / 101)


def test_no_numbers() -> None:
    """A score that is no number is better than any, and a target that has one is last."""
    scores = np.array([[np.nan, 1.0, 0.0], [1.0, np.nan, 0.0]])
    found = ranked(scores, np.array([1, 1]), NONE)
    assert found.better.tolist() == [1, 2]


def test_intervals_are_over_facts() -> None:
    """Both queries of a fact are one draw: doubled queries leave the interval as it is."""
    ranks = Ranks(np.arange(40) % 7, np.zeros(40, np.int64))
    alone = ranking(ranks, np.arange(40))
    both = ranking(Ranks.joined([ranks, ranks]), np.tile(np.arange(40), 2))
    assert list(alone) == ["mrr", "hits_at_1", "hits_at_3", "hits_at_10"]
    for name, interval in alone.items():
        assert both[name].value == pytest.approx(interval.value)
        assert both[name].low == pytest.approx(interval.low)
        assert both[name].high == pytest.approx(interval.high)
    assert alone["mrr"].value == pytest.approx((1 / ranks.rank).mean())
    assert 0 < alone["mrr"].low < alone["mrr"].value < alone["mrr"].high < 1
