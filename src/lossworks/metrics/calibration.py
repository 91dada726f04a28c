"""Is what is predicted with 80 % confidence right 80 % of the time? Reliability bins, and the expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from .intervals import FEW, Floats, Interval, Ints, clipped
from .over_rows import ratio
from .roots import root

BINS = 15
DRAWS = 1000


class Reliability:
    """Confidences in 15 equal-width bins against how often they were right (Guo et al. 2017, arXiv:1706.04599).

    Each row has ``width`` predictions: that of its top class, or one per label. Those of one row are kept
    together, because they are not independent, and so are those of the rows of one group, where ``groups`` [N] are given. Filled
    block by block, in order, with `add`; ``bins`` and ``ece`` read it.
    """

    def __init__(self, width: int, groups: Ints | None = None) -> None:
        self.width = width
        self._groups, self._added = groups, 0
        self._gaps = np.zeros((0 if groups is None else groups.max() + 1, BINS))
        self.rows = 0.0
        self.count, self.mass, self.confidence, self.hits = np.zeros((4, BINS))
        self.moment = np.zeros((BINS, BINS))

    def add(self, confidence: Floats, right: NDArray[np.bool_], weights: Floats) -> None:
        """Take in ``confidence`` and ``right`` [n, width]; ``weights`` [n] are those of `intervals.effective`."""
        rows = len(confidence)
        self.rows += float(weights.sum())
        column = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
        spread = np.repeat(weights, self.width)
        flat = column.ravel()
        self.count += np.bincount(flat, minlength=BINS)
        self.mass += np.bincount(flat, spread, BINS)
        self.confidence += np.bincount(flat, spread * confidence.ravel(), BINS)
        self.hits += np.bincount(flat, spread * right.ravel(), BINS)
        cells = (np.arange(rows)[:, None] * BINS + column).ravel()
        gaps = np.bincount(cells, spread * (confidence - right).ravel(), rows * BINS).reshape(rows, BINS)
        if self._groups is None:
            self.moment += gaps.T @ gaps
        else:
            np.add.at(self._gaps, self._groups[self._added : self._added + rows], gaps)
        self._added += rows

    @property
    def bins(self) -> list[dict[str, float]]:
        """Mean confidence, accuracy, and number of predictions of each bin that holds any."""
        confidence, accuracy = ratio(self.confidence, self.mass), ratio(self.hits, self.mass)
        return [
            {"confidence": float(confidence[b]), "accuracy": float(accuracy[b]), "count": int(self.count[b])}
            for b in np.flatnonzero(self.mass)
        ]

    def ece(self, seed: int) -> Interval:
        """Σ over bins of share × |confidence − accuracy|, with an interval by test inversion.

        Noise alone makes the ECE of few rows large, so resampling around the observed gaps would count the noise
        twice. Instead the interval holds every true ECE under which the observed one is unremarkable: the
        observed gaps are scaled to the true ECE in question, and Gaussian noise with the gaps' covariance is added.
        """
        gap = (self.confidence - self.hits) / (self.rows * self.width)
        observed = float(np.abs(gap).sum())
        if observed == 0:
            return Interval(0.0, 0.0, 0.0 if self.rows >= FEW else 1.0)
        values, vectors = np.linalg.eigh(self._covariance(gap))
        draws = generator(seed, "ece").standard_normal((DRAWS, BINS))
        spread = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # the same whatever signs a processor gives the vectors
        noise = draws @ spread

        def excess(true: float, quantile: float) -> float:
            return float(np.quantile(np.abs(true * gap / observed + noise).sum(1), quantile)) - observed

        def limit(quantile: float) -> float:
            return 0.0 if excess(0, quantile) >= 0 else root(lambda true: excess(true, quantile), 0, 2, xtol=1e-4)

        return clipped(observed, limit(0.975), limit(0.025), 0.0, 1.0)

    def _covariance(self, gap: Floats) -> Floats:
        """Of the gaps [BINS, BINS]; a bin that is all right or all wrong is not certain to be so (Laplace's rule)."""
        raw, smooth = ratio(self.hits, self.mass), (self.hits + 1) / (self.mass + 2)
        unseen = np.maximum(self.mass * (smooth * (1 - smooth) - raw * (1 - raw)), 0)
        moment = (self.moment + self._gaps.T @ self._gaps + np.diag(unseen)) / (self.rows * self.width) ** 2
        return np.asarray(moment - np.outer(gap, gap) / self.rows)
