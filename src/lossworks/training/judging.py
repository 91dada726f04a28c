"""How good a predictor is on rows that training and calibration never saw: metrics, baseline, mistakes, for the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import TRAIN, Languages
from ..inference import Predictor
from ..tasks import LabelTask
from .assembling import FEWEST_TO_HOLD_OUT
from .dataset import Dataset


class Rows(Protocol):
    """The rows of one part, as a predictor's ``scores_of`` takes them."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Their numbers, and they themselves prepared, some at a time."""


def calibrate(predictor: Predictor, data: Dataset, valid: Rows | None, class_weight: Any) -> float | None:
    """Temperature and thresholds from the validation rows, if there are any. Returns what one threshold for all labels of a set
    would be.
    """
    if valid is None or not valid.rows:
        return None
    scores, target, weight, _ = scored(predictor, data, valid)
    calibrate_by(predictor, scores, target, weight, class_weight)
    task = predictor.task
    return task.one_threshold(predictor.probabilities(scores), target, weight) if task.decisions > 1 else None


def calibrate_by(
    predictor: Predictor, scores: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None, class_weight: Any
) -> None:
    """The same from their scores."""
    predictor.temperature, predictor.thresholds = calibration(predictor.task, scores, target, weight, class_weight)


def calibration(
    task: LabelTask, scores: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None, class_weight: Any
) -> tuple[float, tuple[float, ...] | None]:
    """Temperature and thresholds. Of two classes the cut is the one that is most often right; where the classes are weighted, the
    one that treats them alike.
    """
    if not task.has_probabilities:
        return 1.0, None
    temperature = metrics.fit_temperature(scores, target, weight)
    if not task.cuts:  # of many classes, all probabilities at once would be a large table
        return temperature, None
    probability = task.probabilities(scores.astype(np.float64) / temperature)
    return temperature, task.thresholds(probability, target, weight, balanced=class_weight is not None)


def figures(
    predictor: Predictor,
    scores: NDArray[Any],
    target: NDArray[Any],
    train: NDArray[Any],
    weight: NDArray[Any] | None,
    keys: NDArray[np.uint64],
    languages: Languages | None = None,
) -> tuple[dict[str, Any], NDArray[np.int64], list[dict[str, Any]]]:
    """What is said of a predictor's scores (before calibration), the baseline beside; and its most confident mistakes: their
    rows, and what was said of each.

    Args:
        train: targets that the baseline learns from. keys: equal for rows of one text, which count as one in intervals.
        languages: of the rows, where they are told apart.
    """
    task, cuts = predictor.task, predictor.thresholds
    evaluation = task.evaluate(scores, target, weight, temperature=predictor.temperature, thresholds=cuts, groups=keys)
    how: dict[str, Any] = {"temperature": predictor.temperature, "weights": weight, "groups": keys, "read": evaluation.rows}
    said = {
        "rows": len(target),
        "texts": len(np.unique(keys)),
        **evaluation.to_json(task.labels),
        "baseline": task.baseline(train, target, weights=weight, groups=keys),
        "by_threshold": task.by_threshold(scores, target, **how),
    }
    if languages is not None:
        said["languages"] = _by_language(predictor, scores, target, weight, keys, languages)
    return said, *task.mistakes(
        lambda rows: predictor.probabilities(scores[rows]) if task.has_probabilities else scores[rows], evaluation, target, cuts
    )


def _by_language(
    predictor: Predictor,
    scores: NDArray[Any],
    target: NDArray[Any],
    weight: NDArray[Any] | None,
    keys: NDArray[np.uint64],
    languages: Languages,
) -> dict[str, Any]:
    """The metrics of each language; of classes ``one_label`` too, the accuracy of always answering its most frequent label."""
    task, temperature = predictor.task, predictor.temperature

    def metrics_of(rows: NDArray[np.int64]) -> dict[str, metrics.Interval]:
        own, cuts = None if weight is None else weight[rows], predictor.thresholds
        return task.evaluate(scores[rows], target[rows], own, temperature=temperature, thresholds=cuts, groups=keys[rows]).metrics

    sizes = np.ones(len(target)) if weight is None else weight.astype(np.float64)
    losses = metrics.Losses(task.by_row(scores, target, temperature=temperature)[task.proper] * sizes, sizes, keys)
    found = metrics.by_language(task.proper, losses, languages, metrics_of)
    if task.kind == "classify":
        parts = languages.rows()
        for row in found["rows"]:
            rows = parts[row["language"]]
            row["one_label"] = float(np.bincount(target[rows].astype(np.int64), sizes[rows]).max() / sizes[rows].sum())
    return found


def judge(
    predictor: Predictor, data: Dataset, test: Rows | None, ended: dict[str, Any], one: float | None = None
) -> dict[str, Any]:
    """The record's result, of the test rows. ``ended``: how training went. ``one``: a threshold for all labels, which those of
    each are held against.
    """
    tuned = {"temperature": predictor.temperature, "thresholds": predictor.thresholds}
    if test is None or not test.rows:
        few = f" (that takes {FEWEST_TO_HOLD_OUT} rows)" if len(data.corpora[0]) < FEWEST_TO_HOLD_OUT else ""
        note = f"nothing was held out to test on{few}, so nothing is known of how good this is"
        return {"part": None, "rows": 0, "note": note, **tuned, **ended}
    scores, target, weight, numbers = scored(predictor, data, test)
    languages = None if data.languages is None else data.languages.take(numbers)
    said, rows, found = figures(
        predictor, scores, target, data.target[data.parts == TRAIN], weight, data.keys[numbers], languages
    )
    if one is not None and predictor.thresholds is not None and scores.size <= metrics.MOST_DECISIONS:
        how: dict[str, Any] = {"temperature": predictor.temperature, "weights": weight, "groups": data.keys[numbers]}
        said["cuts"] = metrics.compare_cuts(scores, target, predictor.thresholds, one, **how)
    texts = data.texts(numbers[rows])
    listed = [
        {"text": text, **what, "place": data.place(int(numbers[row]))} for text, what, row in zip(texts, found, rows, strict=True)
    ]
    return {
        "part": "test",
        **said,
        "mistakes": listed,
        **tuned,
        **ended,
    }


def scored(
    predictor: Predictor, data: Dataset, part: Rows
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[np.int64]]:
    """Scores, targets, weights and row numbers of a part."""
    pieces = [(rows, predictor.scores_of(prepared)) for rows, prepared in part.pieces() if len(rows)]
    numbers = np.concatenate([rows for rows, _ in pieces])
    weight = None if data.weight is None else data.weight[numbers]
    return np.concatenate([scores for _, scores in pieces]), data.target[numbers], weight, numbers
