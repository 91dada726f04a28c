"""Quantiles of Student's t. SciPy's take a third of a second to import, which is long for a small fit."""

from __future__ import annotations

import math

from ..core.lazy import Later

special = Later("scipy.special")
_SERIES = (1.0, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144)


def quantile(freedom: float, share: float) -> float:
    """Where the distribution with so many degrees of ``freedom`` (above 0) has ``share`` of it below, from 0.5 to below 1.

    Newton's method for θ = atan(t/√freedom), from below, where it cannot overshoot; the integral of its density by a series of
    positive terms. Within some 1e-13 of it, relatively. Below two degrees, where the series may be long, it is SciPy's.
    Source: Abramowitz & Stegun 1964, 26.5.4 and 26.7.1.
    """
    if freedom < 2:
        return float(special.stdtrit(freedom, share))
    height = 2 * _ratio(freedom / 2) / math.sqrt(math.pi)  # of θ's density at 0, of both signs together
    angle, step = 0.0, (2 * share - 1) / height
    while step > 1e-14 * angle:
        angle += step
        step = ((2 * share - 1) / height - _integral(angle, freedom)) / math.cos(angle) ** (freedom - 1)
    return math.sqrt(freedom) * math.tan(angle)


def _integral(angle: float, freedom: float) -> float:
    """∫ cos^(freedom - 1), from 0 to ``angle``."""
    x = math.sin(angle) ** 2
    term = total = math.sin(angle) * math.exp(freedom / 2 * math.log1p(-x))
    at = 0
    while term > 1e-17 * total:
        term *= (freedom + 1 + 2 * at) / (3 + 2 * at) * x
        total += term
        at += 1
    return total


def _ratio(a: float) -> float:
    """Γ(a + 1/2) / Γ(a): of large ones by its asymptotic series, as logarithms would lose digits."""
    if a < 150:
        return math.gamma(a + 0.5) / math.gamma(a)
    return math.sqrt(a) * sum(each / a**power for power, each in enumerate(_SERIES))
