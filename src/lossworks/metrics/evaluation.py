"""What an evaluation found, in the shape that the run record keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.memory import rows_at_once
from .intervals import Floats, Interval, Ints

BLOCK = 1 << 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Metrics with intervals, and what a reader needs to see behind them.

    ``predicted``: classes [N], label sets [N, K] as booleans, or numbers [N]. ``confidence`` [N] is what each row was
    predicted with: the probability of the predicted class (classify), of the most confident wrong label
    (multilabel, 0 where all are right), the absolute error (regress).
    ``confusion``: None where it would have too many cells.
    """

    metrics: dict[str, Interval]
    predicted: NDArray[Any]
    confidence: Floats
    uncalibrated: dict[str, Interval] = field(default_factory=dict)
    reliability: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    confusion: Ints | None = None
    per_class: list[dict[str, float]] = field(default_factory=list)
    scatter: list[list[float]] | None = None

    def to_json(self, labels: Sequence[str] | None = None) -> dict[str, Any]:
        """Plain values for ``run.json``; ``labels`` names the rows of ``per_class``."""
        named = [{"label": label, **row} for label, row in zip(labels or (), self.per_class, strict=bool(labels))]
        value: dict[str, Any] = {"metrics": {name: metric.to_json() for name, metric in self.metrics.items()}}
        if self.scatter is not None:
            return value | {"scatter": self.scatter}
        return value | {
            "uncalibrated": {name: metric.to_json() for name, metric in self.uncalibrated.items()},
            "confusion": None if self.confusion is None else self.confusion.tolist(),
            "per_class": named,
            "reliability": self.reliability,
        }


def blocks(rows: int, width: int = 1) -> Iterator[slice]:
    """The rows, ``width`` numbers each, a few MB at a time: a million of them never stand in memory as probabilities."""
    size = rows_at_once(width, BLOCK)
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def per_class(hits: Floats, predicted: Floats, true: Floats, support: Floats) -> list[dict[str, float]]:
    """Precision, recall and F1 per label from weighted counts [K]; a ratio of nothing to nothing is 0."""
    rows = zip(ratio(hits, predicted), ratio(hits, true), ratio(2 * hits, predicted + true), support, strict=True)
    return [{"precision": float(p), "recall": float(r), "f1": float(f), "support": int(s)} for p, r, f, s in rows]


def ratio(part: Floats, whole: Floats) -> Floats:
    """Elementwise part / whole; 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(whole, np.float64), where=whole != 0)


def check(what: str, values: NDArray[Any], rows: int, dimensions: int) -> None:
    """Refuse an empty, misshapen or non-finite array, naming the first bad row.

    Raises:
        UsageError: with what was got and what was wanted.
    """
    if values.ndim != dimensions or len(values) != rows:
        raise UsageError(f"{what} has shape {values.shape}, wanted {dimensions} dimensions and {rows} rows.")
    if rows == 0:
        raise UsageError("there are no rows to evaluate; at least one is needed.")
    for block in blocks(rows, math.prod(values.shape[1:])):
        good = np.isfinite(values[block]).reshape(block.stop - block.start, -1).all(1)
        if not good.all():
            row = block.start + int(good.argmin())
            raise UsageError(f"{what}, row {row}: got nan or infinity, wanted finite numbers.")


def group_ids(groups: Any | None, rows: int) -> Ints | None:
    """The group of each row as 0 to G-1, from ids of any kind; None where none has two rows.

    Raises:
        UsageError: not as many ids as rows.
    """
    if groups is None:
        return None
    ids = np.asarray(groups)
    if ids.shape != (rows,):
        raise UsageError(f"groups has shape {ids.shape}, wanted one id for each of {rows} rows.")
    found, numbers = np.unique(ids, return_inverse=True)
    return None if len(found) == rows else np.asarray(numbers, np.int64)


def check_weights(weights: Any | None, rows: int) -> None:
    """Refuse weights that are negative, not finite, or all zero.

    Raises:
        UsageError: with what was got and what was wanted.
    """
    if weights is None:
        return
    values = np.asarray(weights, np.float64)
    check("weights", values, rows, 1)
    if values.min() < 0 or values.sum() == 0:
        raise UsageError("weights must be zero or more, and not all zero.")
