"""Mean gradients along lines, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.attribution.quadrature import mean_gradients

NONE = np.empty((1, 0))


def test_smooth() -> None:
    """Lines of their own slope each: the value is exp(-k t), its gradient by two inputs of which one does not matter."""
    slopes, calls = np.array([0.0, 1.0, 50.0, 1000.0]), []

    def value(line: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.exp(-slopes[line] * t)

    def gradient(line: np.ndarray, t: np.ndarray) -> np.ndarray:
        calls.append(len(t))
        return np.stack([-slopes[line] * value(line, t), t**3], 1)

    found = mean_gradients(value, gradient, np.tile([1.0, 0.0], (4, 1)), np.empty((4, 0)))
    np.testing.assert_allclose(found[:, 0], np.exp(-slopes) - 1, atol=1e-13)
    np.testing.assert_allclose(found[:, 1], 0.25, atol=1e-13)
    assert sum(calls) < 4 * 8 * 60


@pytest.mark.parametrize("at", [0.0, 1e-7, 0.25 + 1e-4, 1 / 3, 0.9999, 1.0])
@pytest.mark.parametrize("known", [True, False])
def test_kink(at: float, known: bool) -> None:
    """|t - at|, whose gradient jumps, whether that is known or has to be noticed."""
    calls = []

    def gradient(line: np.ndarray, t: np.ndarray) -> np.ndarray:
        calls.append(len(t))
        return np.sign(t - at)[:, None]

    cuts = np.array([[at, -3.0, 7.0]]) if known else NONE
    found = mean_gradients(lambda line, t: np.abs(t - at), gradient, np.ones((1, 1)), cuts)
    assert found[0, 0] == pytest.approx(1 - 2 * at, abs=1e-10)
    assert sum(calls) <= (50 if known else 2000)


def test_a_jump_that_the_points_miss() -> None:
    """Two sums of points may agree on a side of a jump; what the value gains shows that they are wrong."""
    at = 0.01  # before the first of all points
    found = mean_gradients(
        lambda line, t: np.maximum(at - t, 0.0), lambda line, t: -1.0 * (t < at)[:, None], np.ones((1, 1)), NONE
    )
    assert found[0, 0] == pytest.approx(-at, abs=1e-11)


def test_parts_that_cancel() -> None:
    """Where the value never changes, what each input adds is found all the same: here a narrow peak, and its opposite."""

    def gradient(line: np.ndarray, t: np.ndarray) -> np.ndarray:
        peak = 1 / (1 + ((t - 0.3) / 0.01) ** 2)
        return np.stack([peak, -peak], 1)

    found = mean_gradients(lambda line, t: np.ones_like(t), gradient, np.ones((1, 2)), NONE)
    wanted = 0.01 * (np.arctan(70) + np.arctan(30))
    np.testing.assert_allclose(found, [[wanted, -wanted]], atol=1e-10)


def test_it_ends() -> None:
    """Values as rough as single precision, and values that are not finite."""

    def value(line: np.ndarray, t: np.ndarray) -> np.ndarray:
        return np.sin(5 * t).astype(np.float32).astype(float)

    found = mean_gradients(
        value, lambda line, t: 5 * np.cos(5 * t.astype(np.float32))[:, None].astype(float), np.ones((1, 1)), NONE
    )
    assert found[0, 0] == pytest.approx(np.sin(5), abs=1e-6)
    endless = mean_gradients(lambda line, t: t * np.nan, lambda line, t: t[:, None] * np.nan, np.ones((1, 1)), NONE)
    assert np.isnan(endless).all()
