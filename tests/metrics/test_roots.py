"""Zeros of functions of one number."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from lossworks.metrics.roots import root


def test_zeros_are_those_of_scipy_to_the_bit() -> None:
    """Polynomials, steep and flat functions, and steps, in random brackets, at loose and tight tolerances."""
    rng, tried = np.random.default_rng(0), 0
    for number in range(600):
        a, b, c = rng.normal(size=3).tolist()
        f = [
            lambda x, a=a, b=b, c=c: a * x**3 + b * x + c,
            lambda x, a=a, b=b, c=c: float(np.tanh(9 * a * x)) + b * x + c,
            lambda x, a=a: float(abs(x - a) ** 0.5 * np.sign(x - a)),
            lambda x, a=a, b=b: float(np.floor(8 * x + a)) + b,
        ][number % 4]
        low, high = sorted(rng.uniform(-3, 3, 2).tolist())
        if f(low) * f(high) <= 0:
            xtol, rtol = (10.0 ** int(rng.integers(-14, -1)) for _ in range(2))
            assert root(f, low, high, xtol=xtol) == brentq(f, low, high, xtol=xtol)
            assert root(f, low, high, xtol=xtol, rtol=rtol) == brentq(f, low, high, xtol=xtol, rtol=rtol)
            tried += 1
    assert tried > 100


def test_a_zero_at_an_end_is_found_and_equal_signs_are_refused() -> None:
    """Neither needs a search."""
    assert root(lambda x: x, 0, 1, xtol=1e-3) == 0 == root(lambda x: x - 1, 0.5, 1, xtol=1e-3) - 1
    with pytest.raises(ValueError, match="the signs at 1 and 2 are the same"):
        root(lambda x: x, 1, 2, xtol=1e-3)
