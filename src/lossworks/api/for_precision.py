"""``evaluate`` with a precision: the threshold for it, of a test part, of other rows or of what a cross-validation said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core.errors import UnknownName, UsageError
from .model import Model

Precision = float | Mapping[Any, float]
"""One number for all labels together, or {label: number} for some."""


def wanted_of(model: Any, precision: Precision) -> list[tuple[str | None, float]]:
    """The labels, None for all of them together, each with the precision asked for.

    Raises:
        UsageError: the model has no probabilities of labels, or no such label; or the number is no share between 0 and 1.
    """
    task = model.predictor.task if isinstance(model, Model) else None
    if task is None or not task.has_probabilities:
        raise UsageError("--precision is for classifiers, and this is none. Leave it out.")
    known = {**dict(zip(task.labels, task.labels, strict=True)), **dict(zip(model.labels, task.labels, strict=True))}
    asked: Mapping[Any, Any] = precision if isinstance(precision, Mapping) else {None: precision}
    if None in asked and task.kind == "multilabel":
        raise UsageError("of sets of labels a precision is of one label. Say LABEL=0.9.")
    for label, share in asked.items():
        if label is not None and label not in known:
            raise UnknownName("label", str(label), task.labels)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise UsageError(f"the precision is {share!r}; wanted a share above 0 and below 1, or LABEL=0.9 for one label.")
    return [(None if label is None else known[label], float(share)) for label, share in asked.items()]


def for_precision(
    model: Model,
    wanted: list[tuple[str | None, float]],
    chances: NDArray[Any],
    target: NDArray[Any],
    weights: NDArray[Any] | None,
    groups: NDArray[Any],
) -> list[dict[str, Any]]:
    """What ``metrics.for_precision`` says of each that is wanted, from probabilities [N, K] of rows and their targets."""
    labels, found = model.predictor.task.labels, []
    for label, precision in wanted:
        if label is None:
            chance, true = chances.max(1), chances.argmax(1) == target
        else:
            number = labels.index(label)
            chance, true = chances[:, number], target[:, number] > 0 if target.ndim == 2 else target == number
        said = metrics.for_precision(chance, np.asarray(true), precision, weights=weights, groups=groups)
        found.append({"label": label, "wanted": precision, **said})
    return found
