"""What an evaluation found, in the shape that the run record keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from .intervals import Floats, Interval, Ints
from .row_scores import RowScores


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Metrics with intervals, and what a reader needs to see behind them.

    ``predicted``: classes [N], label sets [N, K] as booleans, or numbers [N]. ``confidence`` [N] is what each row was
    predicted with: the probability of the predicted class (classify), of the most confident wrong label
    (multilabel, 0 where all are right), the absolute error (regress).
    ``confusion``: None where it would have too many cells. ``rows``: of classes, what was read of each row.
    """

    metrics: dict[str, Interval]
    predicted: NDArray[Any]
    confidence: Floats
    uncalibrated: dict[str, Interval] = field(default_factory=dict)
    reliability: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    confusion: Ints | None = None
    per_class: list[dict[str, float]] = field(default_factory=list)
    scatter: list[list[float]] | None = None
    rows: RowScores | None = None

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
