"""What watches a training: loss spikes, overfitting, and the means of the log."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.engine.monitors import LogWindow, Overfitting, Spikes


def test_a_spike_does_not_hide_the_next() -> None:
    """A loss far above the usual twice in a row is told once, with the usual one, which takes it in only in part."""
    spikes = Spikes()
    for _ in range(2):
        for number in range(400):
            assert spikes.usual(1.0 + 0.1 * (number % 2)) is None
        assert [spikes.usual(100.0) for _ in range(3)] == [None, pytest.approx(1.05, abs=0.1), None]


def test_healthy_runs_have_no_spikes() -> None:
    """Batches of four have mean losses far from the usual by chance, and no run of them is said to spike."""
    chance, singles, told = np.random.default_rng(0), 0, 0
    for _ in range(30):
        spikes = Spikes()
        margins = chance.normal(0.2 + 6 * np.arange(1000)[:, None] / 1000, 2.0, (1000, 4))
        for loss in np.log1p(np.exp(-margins)).mean(1):
            told += spikes.usual(float(loss)) is not None
            singles += spikes.high == 1
    assert (singles > 3, told) == (True, 0)


def test_no_spike_at_first() -> None:
    """The first losses, which fall fast, are not called spikes."""
    spikes = Spikes()
    assert all(spikes.usual(loss) is None for loss in (9.0, 1.0, 9.0, 0.5, 9.0))


def test_overfitting_by_name() -> None:
    """Held-out loss that rose twice while the training loss fell is named, once; while both rise or fall it is not."""
    found = []
    for train, valid in ((([3.0, 2.0, 1.0, 0.5]), [3.0, 2.0, 2.5, 2.6]), ([3.0, 2.0, 2.2, 2.4], [3.0, 2.0, 2.5, 2.6])):
        monitor, scores, told = Overfitting(), list[float](), list[str | None]()
        for loss, score in zip(train, valid, strict=True):
            monitor.add(10 * loss, 10.0)
            scores.append(score)
            told.append(monitor.after_score(scores, len(scores) - 1 - scores.index(min(scores))))
        found.append(told)
    assert found[0][:3] == [None] * 3
    assert "held-out loss rose from 2 to 2.6 nats a token while that of training fell from 2 to 0.5" in str(found[0][3])
    assert found[1] == [None] * 4


def test_a_line_of_the_log() -> None:
    """Means since the last line, by the clock that is given; what was clipped is a share of the steps."""
    window = LogWindow(10.0, clipped=4)
    window.add(6.0, 3.0, 30, None, 11.0, 0.5)
    window.add(2.0, 1.0, 10, None, 12.0, 0.5)
    line = window.fields(14.0, 0.01, 5, "examples_per_second")
    assert line == {"loss": 2.0, "examples_per_second": 10.0, "lr": 0.01, "clipped": 0.5}
    assert window.is_due(0.0)
