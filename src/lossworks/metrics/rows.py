"""A metric's value row by row, for those who compare: its plain mean over the rows is the metric itself.

What is no mean, such as F1, is taken by its linearisation: value + N × the row's influence. Weights of rows are in the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from .intervals import Floats
from .over_rows import ratio
from .probabilities import sigmoid
from .row_scores import RowScores

PROPER = {"classify": "nll", "multilabel": "nll", "regress": "mse", "lm": "nats_per_token", "graph": "mrr"}
"""The proper score that each kind of task is judged by if no metric is given."""
RISING = {"accuracy", "top_5_accuracy", "macro_f1", "micro_f1", "subset_accuracy", "mrr", "hits_at_1", "hits_at_3", "hits_at_10"}
"""Metrics of which more is better."""
NO_MEANS = ("macro_f1", "micro_f1")
"""Metrics that are no mean over rows: those of a part are not told by the rows of the whole."""


def by_row(
    kind: str,
    scores: NDArray[Any],
    target: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    temperature: float = 1.0,
    thresholds: Sequence[float] | None = None,
) -> dict[str, Floats]:
    """Every metric that a task of this ``kind`` has by rows, each [N].

    classify     nll, brier, accuracy, macro_f1, of logits [N, K] and classes [N].
    multilabel   nll, brier, subset_accuracy, micro_f1, macro_f1, of logits [N, K] and label sets [N, K].
    regress      mse, mae, of numbers [N] and numbers [N].

    Definitions, ``temperature`` and ``thresholds`` are as in `classify`, `multilabel` and `regress`.
    """
    weight = np.ones(len(target)) if weights is None else np.asarray(weights, np.float64)
    plain, influences = _KINDS[kind](np.asarray(scores), np.asarray(target), weight, temperature, thresholds)
    share = weight * (len(weight) / weight.sum())
    found = {}
    for name, values in plain.items():
        mean = float(values @ share) / len(share)
        found[name] = mean + (values - mean) * share
    for name, (value, influence) in influences.items():
        found[name] = value + len(weight) * weight * influence
    return found


def check_metric(kind: str, metric: str, among: Mapping[str, Sequence[str]] | None = None) -> None:
    """Raise UsageError where a task of this ``kind`` has no such metric by rows, or ``among`` others than those."""
    fitting = (among or METRICS)[kind]
    if metric not in fitting:
        raise UsageError(f"the metric {metric!r} does not fit the task {kind}. Metrics that do: {', '.join(fitting)}.")


def missed(metric: str, value: float) -> float:
    """A metric's value as a loss, of which less is better: what a share misses to 1. Of a loss, the metric's value."""
    return 1 - value if metric in RISING else value


Found = tuple[dict[str, Floats], dict[str, tuple[float, Floats]]]


def _classify(
    logits: NDArray[Any], target: NDArray[Any], weight: Floats, temperature: float, thresholds: Sequence[float] | None
) -> Found:
    truth = target.astype(np.int64)
    rows = RowScores.read(logits, truth, temperature)
    predicted = rows.top if not thresholds else (rows.last >= thresholds[0]).astype(np.int64)
    right = predicted == truth
    classes = logits.shape[1]
    hits, true, called = (
        np.asarray(np.bincount(marks, share, classes), np.float64)
        for marks, share in ((truth[right], weight[right]), (truth, weight), (predicted, weight))
    )
    value, gain, miss = _slopes(hits, true + called)
    influence = gain[truth] * right - miss[truth] - miss[predicted]
    return {"nll": rows.nll, "brier": rows.brier, "accuracy": right.astype(np.float64)}, {"macro_f1": (value, influence)}


def _multilabel(
    logits: NDArray[Any], target: NDArray[Any], weight: Floats, temperature: float, thresholds: Sequence[float] | None
) -> Found:
    truth, scaled = target.astype(bool), logits.astype(np.float64) / temperature
    p = sigmoid(scaled)
    predicted = p >= (0.5 if thresholds is None else np.asarray(thresholds))
    both, either = (truth & predicted).astype(np.float64), truth.astype(np.float64) + predicted
    hits, named = weight @ both, weight @ either
    f1 = {}
    for name, sums in (("micro_f1", (hits.sum(keepdims=True), named.sum(keepdims=True))), ("macro_f1", (hits, named))):
        value, gain, miss = _slopes(*sums)
        f1[name] = value, both @ np.broadcast_to(gain, len(hits)) - either @ np.broadcast_to(miss, len(hits))
    plain = {
        "nll": np.logaddexp(0, np.where(truth, -scaled, scaled)).sum(1),
        "brier": ((p - truth) ** 2).sum(1),
        "subset_accuracy": (predicted == truth).all(1).astype(np.float64),
    }
    return plain, f1


def _regress(
    prediction: NDArray[Any], target: NDArray[Any], weight: Floats, temperature: float, thresholds: Sequence[float] | None
) -> Found:
    error = prediction.astype(np.float64) - target
    return {"mse": error**2, "mae": np.abs(error)}, {}


def _slopes(hits: Floats, named: Floats) -> tuple[float, Floats, Floats]:
    """Of the mean F1 over the labels that occur: its value, and what a row adds for a hit, and takes for each naming."""
    here = named > 0
    count = max(int(here.sum()), 1)
    f1 = ratio(2 * hits, named)
    return float(f1.sum()) / count, ratio(np.full_like(named, 2.0), named) / count, ratio(f1, named) / count


_KINDS: dict[str, Callable[..., Found]] = {"classify": _classify, "multilabel": _multilabel, "regress": _regress}
METRICS = {
    "classify": ("nll", "brier", "accuracy", "macro_f1"),
    "multilabel": ("nll", "brier", "subset_accuracy", "micro_f1", "macro_f1"),
    "regress": ("mse", "mae"),
    "lm": ("nats_per_token", "bits_per_byte"),
}
"""The metrics of each kind of task, the proper ones first; those of language models are ``language.by_segment``'s."""
STOPPING = METRICS | {"lm": (*METRICS["lm"], "accuracy"), "graph": ("mrr", "hits_at_1", "hits_at_3", "hits_at_10")}
"""The metrics of the validation part that a training can be stopped by, those where none is named first."""
