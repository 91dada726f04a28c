"""The laws: the logarithm of a run's loss from the logarithms of its parameters n and tokens d, with exact derivatives.

Each function takes a batch of coefficients (B, p) and the runs' coordinates (R, 2), and gives the log-loss (B, R) and its
derivatives (B, R, p). Factors and exponents are coefficients by their logarithms, so all of them stay positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_TRIED = 400  # random starts looked at, before the best few are descended from


@dataclass(frozen=True, slots=True)
class Form:
    """A law. ``ranges``: where starts are drawn, for each coefficient: a factor as a share of the loss, an exponent as itself.

    ``exponents``: by the number of a coefficient that is the logarithm of an exponent, what has been published as its like; the
    fit is drawn weakly towards it, so that a table too small to tell still gives a law.
    """

    name: str
    formula: str
    source: str
    value: Callable[[Array, Array], tuple[Array, Array]]
    ranges: tuple[tuple[float, float], ...]
    exponents: dict[int, float]

    def starts(self, y: Array) -> Array:
        """Coefficients to begin from, drawn anew in the same way each time."""
        low, high = np.array(self.ranges).T
        drawn = np.log(np.random.default_rng(0).uniform(low, high, size=(_TRIED, len(low))))
        factors = [i for i in range(len(low)) if i not in self.exponents]
        drawn[:, factors] += y.mean()
        return drawn


def _log_sum(*terms: Array) -> tuple[Array, list[Array]]:
    """log Σ exp(term), and each term's share of the sum."""
    stacked = np.stack(np.broadcast_arrays(*terms))
    top = stacked.max(0)
    shares = np.exp(stacked - top)
    total = shares.sum(0)
    return top + np.log(total), list(shares / total)


def _columns(theta: Array) -> list[Array]:
    return [theta[:, i, None] for i in range(theta.shape[1])]


def _chinchilla(theta: Array, x: Array) -> tuple[Array, Array]:
    e, a, log_alpha, b, log_beta = _columns(theta)
    n, d = np.exp(log_alpha) * x[:, 0], np.exp(log_beta) * x[:, 1]
    value, (rest, of_n, of_d) = _log_sum(e, a - n, b - d)
    return value, np.stack([rest, of_n, -of_n * n, of_d, -of_d * d], -1)


def _tied(theta: Array, x: Array) -> tuple[Array, Array]:
    e, a, log_alpha, b = _columns(theta)
    n, d = np.exp(log_alpha) * x[:, 0], np.exp(log_alpha) * x[:, 1]
    value, (rest, of_n, of_d) = _log_sum(e, a - n, b - d)
    return value, np.stack([rest, of_n, -of_n * n - of_d * d, of_d], -1)


def _joint(theta: Array, x: Array) -> tuple[Array, Array]:
    e, a, log_alpha, b, log_beta, log_gamma = _columns(theta)
    n, d, gamma = np.exp(log_alpha) * x[:, 0], np.exp(log_beta) * x[:, 1], np.exp(log_gamma)
    inner, (of_n, of_d) = _log_sum(a / gamma - n, b / gamma - d)
    value, (rest, both) = _log_sum(e, gamma * inner)
    scale = both * gamma
    slope = both * (gamma * inner - of_n * a - of_d * b)
    return value, np.stack([rest, both * of_n, -scale * of_n * n, both * of_d, -scale * of_d * d, slope], -1)


def _kaplan(theta: Array, x: Array) -> tuple[Array, Array]:
    a, log_n, b, log_d = _columns(theta)
    gamma, ratio = np.exp(log_d), np.exp(log_n - log_d)
    inner, (of_n, of_d) = _log_sum(a / gamma - ratio * x[:, 0], b / gamma - x[:, 1])
    value, pull = gamma * inner, gamma * of_n * ratio * x[:, 0]
    return value, np.stack([of_n, -pull, of_d, value - of_n * a - of_d * b + pull], -1)


def _power(theta: Array, x: Array) -> tuple[Array, Array]:
    e, a, log_alpha = _columns(theta)
    scaled = np.exp(log_alpha) * x[:, 0]
    value, (rest, of_x) = _log_sum(e, a - scaled)
    return value, np.stack([rest, of_x, -of_x * scaled], -1)


_REST, _FACTOR, _EXPONENT = (0.2, 0.98), (0.02, 0.8), (0.1, 0.8)
FORMS = {
    form.name: form
    for form in (
        Form("chinchilla", "E + A/N^α + B/D^β", "Hoffmann et al. 2022, arXiv:2203.15556, eq. 2", _chinchilla,
             (_REST, _FACTOR, _EXPONENT, _FACTOR, _EXPONENT), {2: 0.3, 4: 0.3}),
        Form("tied", "E + A/N^α + B/D^α", "Gadre et al. 2024, arXiv:2403.08540, eq. 4", _tied,
             (_REST, _FACTOR, _EXPONENT, _FACTOR), {2: 0.3}),
        Form("joint", "E + (A/N^α + B/D^β)^γ", "the first with Kaplan's interaction", _joint,
             (_REST, _FACTOR, _EXPONENT, _FACTOR, _EXPONENT, (0.3, 1.5)), {2: 0.3, 4: 0.3, 5: 1.0}),
        Form("kaplan", "(A/N^(α/β) + B/D)^β", "Kaplan et al. 2020, arXiv:2001.08361, eq. 1.5", _kaplan,
             ((0.2, 0.95), (0.03, 0.5), (0.2, 0.95), (0.05, 0.5)), {1: 0.08, 3: 0.1}),
        Form("power", "E + A/x^α", "of the one quantity that varies", _power, (_REST, _FACTOR, _EXPONENT), {2: 0.3}),
    )
}  # fmt: skip
"""The laws by name."""
