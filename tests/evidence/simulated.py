"""Paired differences with known sources of chance, and how often a verdict on them is wrong or right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lossworks.evidence import statistics
from lossworks.evidence.statistics import Difference

Shares = tuple[float, float, float]
SHARES: list[Shares] = [(0, 0, 1), (0, 1, 0.2), (1, 0, 0.1), (1, 1, 1), (1, 0.3, 3)]
"""Of the variance of the mean: seeds', examples', their interaction's."""


def draw(rng: np.random.Generator, seeds: int, examples: int, shares: Shares, skewed: bool = False) -> NDArray[np.float64]:
    """d [seeds, examples] whose true mean is 0 and whose mean has the variance ``sum(shares)``."""

    def noise(*shape: int) -> NDArray[np.float64]:
        return rng.exponential(size=shape) - 1 if skewed else rng.standard_normal(shape)

    a, b, e = (np.sqrt(share) for share in shares)
    S, N = seeds, examples
    return a * np.sqrt(S) * rng.standard_normal((S, 1)) + b * np.sqrt(N) * noise(1, N) + e * np.sqrt(S * N) * noise(S, N)


def found(
    shares: Shares, *, seeds: int = 5, examples: int = 60, effect: float = 0.0, times: int = 250, skewed: bool = False
) -> list[Difference]:
    """What the statistics say of many draws with the true mean ``effect``."""
    rng = np.random.default_rng(7)
    return [statistics.difference(draw(rng, seeds, examples, shares, skewed) + effect, k) for k in range(times)]


def level(shares: Shares, **more: float) -> float:
    """How often a difference is shown where there is none."""
    return float(np.mean([one.shown for one in found(shares, **more)]))  # type: ignore[arg-type]


def coverage(shares: Shares, **more: float) -> float:
    """How often the 95 % interval holds the truth."""
    return float(np.mean([one.low <= more.get("effect", 0.0) <= one.high for one in found(shares, **more)]))  # type: ignore[arg-type]


def family(arms: int = 15, times: int = 60) -> float:
    """How often any of many arms without a difference is called different after the correction."""
    rng = np.random.default_rng(3)
    wrong = 0
    for k in range(times):
        drawn = [statistics.difference(draw(rng, 5, 40, (0, 1, 0.2)), k) for _ in range(arms)]
        corrected = statistics.holm([one.p for one in drawn])
        wrong += any(p <= 0.05 and not one.contradicted for p, one in zip(corrected, drawn, strict=True))
    return wrong / times
