"""The mean of a gradient along a straight line, for many lines at once: what integrated gradients come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Float

_AT, _WEIGHT = np.polynomial.legendre.leggauss(8)
_HALVINGS = 48  # of an interval; a jump within the last one no longer counts
_WITHIN = 1e-11  # of the value at the ends of a line, that a mean may be off by
_ROUNDING = 1e-13  # of what is added up, regardless of sign: sums closer than that are equal
_MOST = 512  # intervals a line in one step, which no smooth gradient comes near

Along = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]]


@np.errstate(invalid="ignore")  # what is not finite stays so
def mean_gradients(
    value: Along,
    gradient: Along,
    size: Float[NDArray[np.float64], "N K"],
    cuts: Float[NDArray[np.float64], "N C"],
    within: Float[NDArray[np.float64], "N"] | None = None,
    rounding: float = _ROUNDING,
    most: int = _MOST,
) -> Float[NDArray[np.float64], "N K"]:
    """The mean gradient of a value over 0 <= t <= 1 on each of N lines: its product with the line is what the value gains.

    By Gauss and Legendre's rule of eight points, in intervals that are halved until the halves agree with the whole, and with
    what the value gains.

    Args:
        value, gradient: on the lines of these numbers [M], at these t [M]: [M], and [M, K].
        size: each line from t = 0 to t = 1.
        cuts: points of each line between which the gradient is smooth; those outside of 0 to 1 do not count.
        within: what the gain of each line in an interval may be off by; None: rounding of its value in double precision.
        rounding: how close sums are, as a share of what is added up regardless of sign, that are taken for equal.
        most: intervals a line that are halved in one step; where there are more, the gradient is taken as it then is.
    """
    bounds = np.sort(np.clip(np.pad(cuts, ((0, 0), (1, 1)), constant_values=(0, 1)), 0, 1))
    line, place = np.nonzero(bounds[:, :-1] < bounds[:, 1:])
    begin, end = bounds[line, place], bounds[line, place + 1]
    low, high, whole = value(line, begin), value(line, end), _integrals(gradient, line, begin, end)[0]
    total = np.zeros_like(size)
    if within is None:
        within = np.zeros(len(size))
        np.maximum.at(within, line, _WITHIN * np.maximum(np.abs(low), np.abs(high)))
    for halving in range(_HALVINGS):
        middle, steps = (begin + end) / 2, size[line]
        halves, unsigned = _integrals(gradient, np.tile(line, 2), np.append(begin, middle), np.append(middle, end))
        finer = halves.reshape(2, *whole.shape).sum(0)
        apart = np.maximum((np.abs(finer - whole) * np.abs(steps)).sum(1), np.abs((finer * steps).sum(1) - (high - low)))
        least = rounding * (unsigned.reshape(2, *whole.shape).sum(0) * np.abs(steps)).sum(1)
        left = (apart > np.maximum(within[line], least)) & (halving + 1 < _HALVINGS) & (len(line) < most * len(cuts))
        np.add.at(total, line[~left], finer[~left])
        if not left.any():
            break
        between = value(line[left], middle[left])
        begin, end = np.append(begin[left], middle[left]), np.append(middle[left], end[left])
        low, high = np.append(low[left], between), np.append(between, high[left])
        line, whole = np.tile(line[left], 2), halves[np.tile(left, 2)]
    return total


def _integrals(
    gradient: Along, line: NDArray[np.int64], begin: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Over each interval, with and without the signs."""
    half = (end - begin)[:, None] / 2
    at = begin[:, None] + half * (1 + _AT)
    vectors = gradient(np.repeat(line, len(_AT)), at.ravel()).reshape(*at.shape, -1)
    weight = (half * _WEIGHT)[..., None]
    return (vectors * weight).sum(1), (np.abs(vectors) * weight).sum(1)
