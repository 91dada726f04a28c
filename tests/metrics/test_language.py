"""Figures of models of language: by hand on a few texts, and intervals that hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossworks.metrics import by_segment, count_segments, hit_rate, of_texts, surprisal, unigram, unknown_rate
from lossworks.metrics.intervals import ratio


def nothing(tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """No unknown tokens among so many."""
    return np.zeros(tokens, bool), np.zeros(tokens, np.int64)


def test_by_hand() -> None:
    """Two texts of 2 and 1 tokens with ends: sums of five positions over 5 tokens and 9 bytes, and in bits a byte the 3 bytes of
    the unknown token, at 8 bits each; of one text alone, or of segments for comparisons, the same.
    """
    of = count_segments(np.array([0, 2, 3]), True, np.array([5, 4]), np.array([False, True, False]), np.array([0, 3, 0]))
    assert of.positions.tolist() == [3, 2]
    figures = surprisal(np.array([-1.0, -2.0, -3.0, -0.5, -0.5]), of)
    assert figures["nats_per_token"].value == pytest.approx(7 / 5)
    assert figures["perplexity"].value == pytest.approx(math.exp(7 / 5))
    assert figures["bits_per_byte"].value == pytest.approx((7 / math.log(2) + 8 * 3) / 9)
    assert by_segment(np.array([6.0, 1.0]), of)["bits_per_byte"].mean() == pytest.approx(figures["bits_per_byte"].value)
    first = of_texts(np.array([6.0]), of.take(np.array([0])))
    assert first["bits_per_byte"].value == pytest.approx((6 / math.log(2) + 8 * 3) / 5)
    assert (first["nats_per_token"].value, first["nats_per_text"].value) == pytest.approx((6 / 3, 6))
    assert unknown_rate(of).value == pytest.approx(1 / 3)
    assert figures["perplexity"].low == pytest.approx(math.exp(figures["nats_per_token"].low))
    assert hit_rate([1, 3], [2, 4]).value == pytest.approx(4 / 6)


def test_without_ends() -> None:
    """Texts without ends have as many positions as tokens; a single one is cut into segments."""
    several = count_segments(np.array([0, 2, 3]), False, np.array([5, 4]), *nothing(3))
    assert several.positions.tolist() == [2, 1]
    stream = count_segments(np.array([0, 9000]), False, np.array([27000]), np.arange(9000) < 90, np.arange(9000) // 8995)
    assert (len(stream.positions), stream.positions.sum(), stream.bytes.sum()) == (100, 9000, 27000)
    assert stream.unknown[:2].tolist() == [90, 0]
    assert stream.unspelled[[0, -1]].tolist() == [0, 5]
    assert count_segments(np.array([0, 70]), False, np.array([70]), *nothing(70)).positions.tolist() == [23, 23, 24]


def test_one_text_settles_nothing() -> None:
    """One text alone has a value and no interval; nothing at all has neither."""
    found = surprisal(np.array([-1.0, -1.0]), count_segments(np.array([0, 1]), True, np.array([4]), *nothing(1)))
    assert found["nats_per_token"].value == 1
    assert found["nats_per_token"].high == math.inf
    assert math.isnan(ratio(np.zeros(0), np.zeros(0)).value)


def test_unigram() -> None:
    """Counts plus one, the start left out unless it is the end too; sums to one."""
    logp = unigram(np.array([0, 0, 3, 5]), start=1)
    assert np.exp(logp).tolist() == pytest.approx([1 / 11, 0, 4 / 11, 6 / 11])
    assert np.exp(unigram(np.array([1, 5]), start=None)).tolist() == pytest.approx([2 / 8, 6 / 8])


def test_coverage() -> None:
    """Of ratios of correlated sums 95 % of the intervals hold the truth, where positions taken as independent would miss."""
    random = np.random.default_rng(0)
    held = naive = 0
    for _ in range(400):
        wholes = random.integers(5, 40, 200).astype(float)
        level = random.gamma(4, 0.5, 200)  # each text has a surprisal of its own
        parts = np.array([random.gamma(2, each / 2, int(n)).sum() for each, n in zip(level, wholes, strict=True)])
        found = ratio(parts, wholes, low=0.0)
        held += found.low <= 2.0 <= found.high
        half = 1.96 * 1.7 / math.sqrt(wholes.sum())
        naive += abs(found.value - 2.0) <= half
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.8


def test_impossible() -> None:
    """A token of probability 0 makes the metrics infinite, and of their intervals nothing is known."""
    segments = count_segments(np.array([0, 2, 3]), False, np.array([5, 4]), *nothing(3))
    found = surprisal(np.array([-1.0, -math.inf, -0.5]), segments)
    for name, least in (("nats_per_token", 0.0), ("bits_per_byte", 0.0), ("perplexity", 1.0)):
        assert (found[name].value, found[name].low, found[name].high) == (math.inf, least, math.inf)
