"""Macro-F1 of several models by language, which no mean of losses tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Corpus, Languages
from ..evidence.by_language import of_models
from ..evidence.results import UNITS
from ..metrics import Losses, rows_within
from ..metrics.swaps import Answers, swapped
from .model import Model


def f1_by_language(
    models: Mapping[str, Model], scores: Sequence[NDArray[Any]], corpus: Corpus, languages: Languages
) -> list[dict[str, Any]]:
    """Of each model but the first its difference from the first in macro-F1, in every language.

    Args:
        models: of the same labels, by their names. scores: what each says of all rows of the corpus, before calibration.
        languages: of the rows.
    """
    task, weight = next(iter(models.values())).predictor.task, corpus.weights
    target, ones = task.targets(corpus), np.ones(len(corpus))
    whole, within, answers = dict[str, Losses](), dict[str, Losses](), dict[str, Answers]()
    for (name, model), own in zip(models.items(), scores, strict=True):
        predictor = model.predictor
        how: dict[str, Any] = {"temperature": predictor.temperature, "thresholds": predictor.thresholds}

        def rows_of(rows: NDArray[np.int64], own: NDArray[Any] = own, how: Any = how) -> dict[str, NDArray[np.float64]]:
            return task.by_row(own[rows], target[rows], None if weight is None else weight[rows], **how)

        whole[name] = Losses(rows_of(np.arange(len(corpus)))["macro_f1"], ones, corpus.keys)
        values = rows_within(rows_of, languages, weight)["macro_f1"]
        within[name] = Losses(np.nan_to_num(values), np.isfinite(values).astype(np.float64), corpus.keys)
        said = task.decide(predictor.probabilities(own), predictor.thresholds)
        answers[name] = Answers.of(sets_of(said, task.labels), target, len(task.labels), weight)
    first = next(iter(models))
    return of_models(
        within, languages, UNITS["macro_f1"], whole=whole, rising=True,
        swapped=lambda name, rows: swapped(answers[first], answers[name], rows, corpus.keys),
    )  # fmt: skip


def sets_of(said: Sequence[Any], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Labels, or tuples of them, as sets [N, K]."""
    number, found = {label: at for at, label in enumerate(labels)}, np.zeros((len(said), len(labels)), np.uint8)
    for row, named in enumerate(said):
        found[row, [number[label] for label in (named if isinstance(named, tuple) else (named,))]] = 1
    return found
