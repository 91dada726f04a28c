"""Rank correlation, many at once: no one large share settles it, and it asks nothing of the scale of what is foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..evidence.statistics import LEVEL

if TYPE_CHECKING:
    from jaxtyping import Float

_ALIKE = 1e-9
"""Of the largest number: differences below it are of rounding."""


def standard_ranks(values: Float[NDArray[np.float64], "*N M"], alike: Any = 0.0) -> Float[NDArray[np.float64], "*N M"]:
    """Ranks along the last axis, of mean 0 and sum of squares 1, so that products of two sum to their rank correlation.

    Values that are no further from the next than ``alike``, or than rounding, share their mean rank; all alike, they are 0.
    """
    order, places = values.argsort(-1), np.arange(values.shape[-1])
    ordered = np.take_along_axis(values, order, -1)
    largest = np.abs(np.where(np.isfinite(values), values, 0)).max(-1, keepdims=True, initial=0.0)
    begins, ends = np.ones(values.shape, np.bool_), np.ones(values.shape, np.bool_)  # of runs that are alike
    with np.errstate(invalid="ignore"):  # infinities are alike
        begins[..., 1:] = ends[..., :-1] = np.diff(ordered) > np.maximum(alike, _ALIKE * largest)
    first = np.maximum.accumulate(np.where(begins, places, 0), -1)
    last = np.minimum.accumulate(np.where(ends, places, places.size)[..., ::-1], -1)[..., ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last - (places.size - 1)) / 2, -1)
    found /= np.maximum(np.sqrt((found * found).sum(-1, keepdims=True)), _ALIKE)
    return found


def interval(correlation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a rank correlation of ``count`` pairs, four or more.

    By Fisher's transformation, with the variance of Fieller, Hartley & Pearson (1957, Biometrika 44:470).
    """
    if abs(correlation) >= 1 - _ALIKE:
        return correlation, correlation
    half = float(ndtri(1 - LEVEL / 2)) * np.sqrt(1.06 / (count - 3))
    low, high = np.tanh(np.arctanh(correlation) + np.array([-half, half]))
    return float(low), float(high)


def beside(sizes: Float[NDArray[np.float64], "M K"], values: Float[NDArray[np.float64], "*N M"]) -> NDArray[np.float64]:
    """What of the values is no linear function of the sizes."""
    left, strengths, _ = np.linalg.svd(np.column_stack([np.ones(len(sizes)), sizes]), full_matrices=False)
    basis = left[:, strengths > _ALIKE * strengths[0]]
    rest = values - (values @ basis) @ basis.T
    return np.where(np.abs(rest) > _ALIKE * np.abs(values).max(-1, keepdims=True, initial=0.0), rest, 0.0)
