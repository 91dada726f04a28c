"""Slices judged: what is planted is found, what is not there is not, and the figures are those worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lossworks.evidence.slices import judge, sentence
from lossworks.evidence.text_slices import Slice
from lossworks.metrics.contrast import Losses

RNG = np.random.default_rng(0)
N = 400
SLICES = [Slice("random", str(n), np.sort(RNG.permutation(N)[: 25 + 4 * n])) for n in range(30)]
PLANTED = Slice("word", "film", np.arange(10, 70))


def losses(values: np.ndarray) -> Losses:
    """Rows that each count once, all of other texts."""
    return Losses(values, np.ones(len(values)), np.arange(len(values)))


def test_planted() -> None:
    """Rows that cost more are found, the first of all; without them nothing is; easier rows are told from harder ones."""
    plain = RNG.exponential(size=N)
    (nothing,) = judge({"m": losses(plain)}, [*SLICES, PLANTED])
    assert nothing.shown == []
    assert sentence(nothing, "nats") == "No slice shown to differ (31 slices tested)."
    harder = plain.copy()
    harder[PLANTED.rows] += 1
    (table,) = judge({"m": losses(harder)}, [*SLICES, PLANTED])
    first = table.slices[0]
    assert (first.kind, first.name, first.word, first.shown) == ("word", "film", "harder", True)
    rest = np.delete(harder, PLANTED.rows)
    value = harder[PLANTED.rows].mean() - rest.mean()
    assert (first.value, first.inside, first.outside) == pytest.approx((value, harder[PLANTED.rows].mean(), rest.mean()))
    saved = 1 - rest.mean() / harder.mean()  # were all rows like the others
    assert first.excess == pytest.approx(saved)
    assert first.p_holm == pytest.approx(31 * first.p)
    assert "word 'film': its texts cost" in sentence(table, "nats")
    (table,) = judge({"m": losses(harder.max() - harder)}, [PLANTED])
    assert table.slices[0].word == "easier"


def test_weights_and_repeats() -> None:
    """A row of weight 3 counts as three rows of one text do, and rows that weigh nothing do not count."""
    values, weights = RNG.exponential(size=90), np.array([1.0, 3, 0] * 30)
    of = Slice("word", "x", np.arange(42))
    (found,) = judge({"m": Losses(values * weights, weights, np.arange(90))}, [of])
    rows = np.repeat(np.arange(90), weights.astype(int))
    (repeated,) = judge({"m": Losses(values[rows], np.ones(len(rows)), rows)}, [Slice("word", "x", np.flatnonzero(rows < 42))])
    one, other = found.slices[0], repeated.slices[0]
    assert one.texts == other.texts == 28
    assert [one.value, one.low, one.high, one.p] == pytest.approx([other.value, other.low, other.high, other.p])


def test_too_few_and_the_same_rows() -> None:
    """Fewer than twenty texts inside or outside are not tested, and it is said; one set of rows is tested once, by all names."""
    few, most = Slice("script", "Greek", np.arange(19)), Slice("script", "Latin", np.arange(N - 19))
    twice = Slice("text", "with digits", PLANTED.rows)
    (table,) = judge({"m": losses(RNG.exponential(size=N))}, [few, most, PLANTED, twice])
    assert table.untested == [("script", "Greek", 19), ("script", "Latin", N - 19)]
    assert [(one.name, one.also) for one in table.slices] == [("film", ("text with digits",))]
    repeats = Losses(RNG.exponential(size=N), np.ones(N), np.arange(N) // 20)  # twenty texts, each twenty times
    assert judge({"m": repeats}, [PLANTED])[0].slices == []


def test_two_models() -> None:
    """Better on average and worse on one slice is seen as that; Holm's correction is over all pairs and slices."""
    first = RNG.exponential(size=N)
    second = first - 0.3 + RNG.normal(0, 0.3, N)
    second[PLANTED.rows] += 0.8
    third = first + RNG.normal(0, 0.1, N)
    better, same = judge({"a": losses(first), "b": losses(second), "c": losses(third)}, [*SLICES, PLANTED])
    d = second - first
    assert (better.run, better.against, same.run) == ("b", "a", "c")
    assert better.mean.value == pytest.approx(d.mean())
    assert better.mean.value < 0
    one = better.slices[0]
    low, high = stats.ttest_1samp(d[PLANTED.rows], 0).confidence_interval()
    assert (one.name, one.word) == ("film", "worse")
    assert (one.inside, one.excess) == pytest.approx((d[PLANTED.rows].mean(), d[PLANTED.rows].sum() / N))
    assert (one.inside_low, one.inside_high) == pytest.approx((low, high), abs=0.02)
    assert one.p_holm == pytest.approx(62 * one.p)
    said = sentence(better, "nats")
    assert said.startswith("On all rows better than a by 0.")
    assert "of word 'film' it is worse by 0." in said
    assert same.shown == []
    assert "no difference from a is shown" in sentence(same, "nats")


def test_another_difference_is_not_yet_a_better_model() -> None:
    """Where one model is worse everywhere but in a slice, and there as good, no model is better there; where it is better by less
    than elsewhere, it is better.
    """
    d = RNG.normal(0, 0.3, N) + 1
    d[PLANTED.rows] -= 1 + d[PLANTED.rows].mean() - 1
    (table,) = judge({"a": losses(np.zeros(N)), "b": losses(d)}, [PLANTED])
    assert table.slices[0].word == "differs"
    assert table.slices[0].inside == pytest.approx(0, abs=1e-9)
    d = RNG.normal(0, 0.1, N) - 1
    d[PLANTED.rows] += 0.5
    (table,) = judge({"a": losses(np.zeros(N)), "b": losses(d)}, [PLANTED])
    assert (table.slices[0].word, table.slices[0].value > 0) == ("better", True)


def test_nothing_varies() -> None:
    """Losses that are all alike, or all zero, differ nowhere."""
    for values in (np.zeros(N), np.full(N, 0.7)):
        (table,) = judge({"m": losses(values)}, [PLANTED])
        assert table.shown == []


def test_least_excess_is_no_least_loss() -> None:
    """Where all slices that differ are easier, the one named first is that which saves most, and it is not said to cost least."""
    rows, noise = np.arange(1000), np.random.default_rng(0).normal(1, 0.05, 1000)
    often, rare = Slice("word", "often", rows[:400]), Slice("word", "rare", rows[:30])
    (table,) = judge({"m": losses(noise - 0.2 * (rows < 400) - 0.2 * (rows < 30))}, [rare, often])
    assert [one.name for one in table.shown] == ["often", "rare"]
    assert table.shown[1].inside < table.shown[0].inside
    assert "The least excess loss is with word 'often'" in sentence(table, "nats")
