"""What to beat: the constant baseline, the best prediction that is the same for every text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..tokens.graphemes import isolated
from .classification import classify
from .evaluation import Evaluation
from .multilabels import multilabel
from .regression import regress


def baseline(
    task: Literal["classify", "multilabel", "regress"],
    train_target: NDArray[Any],
    target: NDArray[Any],
    *,
    labels: Sequence[str] | None = None,
    weights: NDArray[Any] | None = None,
    seed: int = 0,
    groups: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """``{"name": …, "metrics": {…}}`` of the constant prediction learned from ``train_target``, scored on ``target``.

    classify     the most frequent training class; its probabilities are the training frequencies.
    multilabel   every label as it most often is in training, yes or no, with its frequency as its probability.
    regress      the mean of the training targets.

    A class or label never (or always) seen in training counts as seen half a time (or half a time less), so that its nll stays
    finite.

    Args:
        task: what the targets are: classes [N], label sets [N, K] or numbers [N].
        train_target, target: of the training rows, and of the rows to score.
        labels: the names of the K classes; none for numbers.
        weights, seed, groups: of the rows to score, as in `classify`.
    """
    name, evaluation = _TASKS[task](
        np.asarray(train_target), np.asarray(target), labels or (), {"weights": weights, "seed": seed, "groups": groups}
    )
    return {"name": name, "metrics": {key: metric.to_json() for key, metric in evaluation.metrics.items()}}


def constant_scores(task: str, train_target: NDArray[Any], target: NDArray[Any], classes: int) -> NDArray[Any]:
    """The baseline's scores of ``target``'s rows, the same for each: logits [N, classes], or numbers [N]."""
    if task == "regress":
        return np.full(len(target), float(np.mean(train_target)))
    if task == "classify":
        counts = np.bincount(train_target, minlength=classes)
        return np.broadcast_to(np.log(np.maximum(counts, 0.5)), (len(target), len(counts)))
    rows = len(train_target)
    yes = np.clip(train_target.astype(bool).sum(0), 0.5, rows - 0.5)
    return np.broadcast_to(np.log(yes / (rows - yes)), target.shape)


def _classify(train: NDArray[Any], target: NDArray[Any], labels: Sequence[str], rows: dict[str, Any]) -> tuple[str, Evaluation]:
    logits = constant_scores("classify", train, target, len(labels))
    name = isolated(f"'{labels[int(logits[0].argmax())]}'")
    return f"majority class {name}", classify(logits, target, **rows)


def _multilabel(train: NDArray[Any], target: NDArray[Any], labels: Sequence[str], rows: dict[str, Any]) -> tuple[str, Evaluation]:
    logits = constant_scores("multilabel", train, target, len(labels))
    usual = [label for label, logit in zip(labels, logits[0], strict=True) if logit >= 0]
    predicted = ", ".join(f"'{label}'" for label in usual) or "none of them"
    return f"most frequent answer per label ({predicted})", multilabel(logits, target, **rows)


def _regress(train: NDArray[Any], target: NDArray[Any], labels: Sequence[str], rows: dict[str, Any]) -> tuple[str, Evaluation]:
    middle = constant_scores("regress", train, target, 0)
    evaluation = regress(middle, target, **rows)
    return f"mean of the training targets ({float(np.mean(train)):.4g})", evaluation


_TASKS = {"classify": _classify, "multilabel": _multilabel, "regress": _regress}
