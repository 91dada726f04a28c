"""What metrics over rows share: arrays checked, gone over in blocks, and counted by label."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.memory import rows_at_once
from .intervals import Floats, Ints

BLOCK = 1 << 15


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
