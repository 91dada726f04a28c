"""What past forecasts say of the next: how they drift with distance, and by what factor their intervals were too narrow.

Numbers are natural logarithms of losses, as in ``forecast``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from .forms import Array
from .members import Said

_DRIFT = 0.008  # how far a forecast drifts for each e-fold, where nothing is known,
_WORTH = 3.0  # and how many past forecasts that counts for
_MANY = 40  # runs from which on they tell a drift well enough for it to be taken off, not only allowed for
_APART = 3.0  # past forecasts share runs: this many, at most, say something of their own
_NEAR = 0.5  # of the spread of tokens a parameter: runs that tell the noise of a run


@dataclass(frozen=True, slots=True)
class Past:
    """A past forecast: of the runs larger than ``runs`` of the smaller ones, ``ratio`` times as large at most.

    ``errors``: of their log-losses, forecast less actual; ``ratios``: how much larger each run is; ``inside``: the share within
    the interval it would have been given.
    """

    runs: int
    ratio: float
    errors: tuple[float, ...]
    ratios: tuple[float, ...]
    inside: float


class Heard:
    """What the members said, averaged: ``mean``, ``residuals`` of the runs, and the square of the width that resampling gives."""

    def __init__(self, said: Said, ratios: Array, apart: Array, weights: Array) -> None:
        self.far = np.log(np.maximum(ratios, 1))
        self.mean = weights @ said.point
        self.residuals = np.abs(weights @ said.residuals)
        self._near = np.exp(-((apart / _NEAR) ** 2) / 2) + 0.02  # runs with as many tokens a parameter tell its noise best
        resampled = 1.4826 * np.median(np.abs(said.resampled - said.point[:, None]), 1)
        self.square = weights @ (said.point - self.mean) ** 2 + weights @ resampled**2 + self.noise(0.68) ** 2

    def noise(self, share: float) -> Array:
        """What ``share`` of the runs like each one are within, around the laws."""
        return np.array([_quantile(self.residuals, near, share) for near in self._near])


@dataclass(frozen=True, slots=True)
class Judge:
    """What past forecasts say of the next: how they drift with distance, and by what factor they were too narrow."""

    drift: float
    spread: float
    apart: float
    widened: float
    level: float
    errors: list[Array]
    ratios: list[Array]
    inside: list[float]

    @classmethod
    def of(cls, heard: list[Heard], actual: list[Array], level: float, *, runs: int) -> Judge:
        errors = [one.mean - y for one, y in zip(heard, actual, strict=True)]
        slopes = np.array([_slope(error, one.far) for error, one in zip(errors, heard, strict=True)])
        noise = float(np.quantile(heard[-1].residuals, 0.68))
        reached = np.array([np.sqrt(np.mean(one.far**2)) for one in heard])
        precision = 1 / (_DRIFT**2 + (noise / reached) ** 2)
        apart = min(_APART, len(heard))
        many = runs >= _MANY
        drift, spread = _shrunk(slopes, precision, apart, many)
        scores, counts = [], []
        for i, (error, one) in enumerate(zip(errors, heard, strict=True)):
            others = np.arange(len(heard)) != i
            own = _shrunk(slopes[others], precision[others], apart, many)[0] if others.any() else 0.0
            scores.append(np.abs(error - own * one.far) / np.sqrt(one.square + spread**2 * one.far**2))
            counts.append(np.full(len(error), 1 / len(error)))
        widened = max(1.0, _quantile(np.concatenate(scores), np.concatenate(counts), level))
        ratios = [np.exp(one.far) for one in heard]
        judge = cls(drift, spread, apart, widened, level, errors, ratios, [])
        for error, one in zip(errors, heard, strict=True):
            centre, half = judge.interval(one)
            judge.inside.append(float(np.mean(np.abs(centre - one.mean + error) <= half)))
        return judge

    def interval(self, heard: Heard) -> tuple[Array, Array]:
        """The middle and half the width: the resampled width, widened; but never less than noise and drift alone give."""
        drifted = self.spread**2 * (1 + 1 / self.apart) * heard.far**2
        usual = norm.ppf((1 + self.level) / 2)
        least = np.sqrt((usual * heard.noise(0.68)) ** 2 + usual**2 * drifted)
        return heard.mean - self.drift * heard.far, np.maximum(self.widened * np.sqrt(heard.square + drifted), least)


def _slope(errors: Array, far: Array) -> float:
    """The error for each e-fold of distance: a median, in which a run counts as much as it is far."""
    far = np.maximum(far, 0.05)
    return _quantile(errors / far, far, 0.5)


def _shrunk(slopes: Array, precision: Array, apart: float, many: bool) -> tuple[float, float]:
    """The mean slope, shrunk towards none by James and Stein's factor, and the standard deviation between slopes. Few runs: 0.

    A few slopes tell their own spread badly, so what is assumed before any counts for `_WORTH` of them.
    """
    share = precision / precision.sum()
    mean = float(share @ slopes)
    square = (_WORTH * _DRIFT**2 + apart * float(share @ (slopes - mean) ** 2)) / (_WORTH + apart)
    kept = max(0.0, 1 - square / apart / mean**2) if mean and many else 0.0
    return mean * kept, float(np.sqrt(square))


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(reached, share)), len(values) - 1)])
