"""``fit`` with ``folds``: figures from models that are each trained without the rows they are judged on, a model from all rows.

Each row is answered once, by the model of the other folds, calibrated by validation rows of its own. The intervals are over
texts, of the mean risk of these K models: the central limit theorem for k-fold cross-validation, with the pooled variance of the
rows' losses (Bayle et al. 2020, "Cross-validation confidence intervals for test error", arXiv:2007.12671). Nothing in them is of
the chance of drawing other training texts. ``trainings`` has that in it, by the few values of the folds, and is wider: the mean
over folds with a variance that is corrected for training sets that overlap (``metrics.over_trainings``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..checks.out_of_fold import without_each
from ..core.errors import DataError, UsageError
from ..core.lazy import Later
from ..data import Corpus, infer_task, k_folds
from ..engine import Callbacks
from ..engine.distributed import World
from ..engine.joining import check_alone
from ..record.rows import write_rows
from ..tasks import LABEL_TASKS, LabelTask
from ..training import Fitted, Settings
from ..training.fitting import is_labelled

special = Later("scipy.special")
PART = "out-of-fold"
"""The part that such a result is of."""
FILE = "folds.parquet"
"""What models said of the rows they were not trained on, in the run directory."""


@dataclass(slots=True)
class CrossValidated(Fitted):
    """A fit judged by folds; ``answers``: the file of what was said of each row."""

    answers: Path | None = None

    def save(self, folder: Path) -> None:
        """Write the model's files, and the answers beside them."""
        Fitted.save(self, folder)
        if self.answers is not None:
            self.answers.replace(folder / FILE)


def check_folds(settings: Settings, given: bool) -> None:
    """Raise UsageError where folds do not go with the settings, or with held-out rows that are ``given`` as data of their own."""
    check_alone(World())
    for flag, set_ in (("--test", settings.test), ("--teach", settings.teach), ("--valid FILE or --test FILE", given)):
        if set_:
            raise UsageError(
                f"{flag} does not go with --folds, whose rows are each judged by a model of the others. Leave one out."
            )
    if settings.of_graph or settings.task == "lm":
        raise UsageError("--folds is for texts with labels; of language and of graphs, judge by --test. Leave it out.")


def judged_by_folds(
    fitted: Fitted, corpus: Corpus, folds: int, settings: Settings, callbacks: Callbacks, scratch: Path
) -> CrossValidated:
    """``fitted``, which was trained on all of ``corpus``, with figures by ``folds`` trainings with the same settings.

    Raises:
        DataError: a label stands in one fold only. UsageError: as ``k_folds``, or there are no labels.
    """
    if not is_labelled(settings, [corpus]):
        raise UsageError("--folds is for texts with labels, and these have none. Leave it out.")
    kind = infer_task(corpus.labels)[0] if settings.task == "auto" else settings.task
    task = LABEL_TASKS[kind].of(corpus, np.ones(len(corpus), np.bool_))
    fold, target = k_folds(corpus, kind, folds, settings.seed), task.targets(corpus)
    _check_labels(corpus, task, fold, target)
    said = _Said.of(corpus, task, fold, replace(settings, task=kind), callbacks, scratch)
    result = {key: value for key, value in fitted.result.items() if key != "note"} | said.figures(target)
    path = scratch / FILE
    write_rows(path, said.rows(target))
    return CrossValidated(fitted.trained, fitted.settings, fitted.data, result, fitted.counts, fitted.optimizer, path)


@dataclass(frozen=True, slots=True)
class _Said:
    """Of each row, calibrated logits [N, labels] or numbers [N]; the logits moved so that its model's thresholds are at 0.5."""

    corpus: Corpus
    task: LabelTask
    fold: NDArray[np.uint8]
    scores: NDArray[np.float64]
    moved: NDArray[np.float64]

    @classmethod
    def of(
        cls, corpus: Corpus, task: LabelTask, fold: NDArray[np.uint8], settings: Settings, callbacks: Callbacks, scratch: Path
    ) -> _Said:
        scores = np.empty((len(corpus), len(task.labels)) if task.labels else len(corpus))
        moved = scores.copy()
        for rows, model in without_each(corpus, fold, settings, callbacks, scratch):
            own = model.scores(corpus.texts(rows)).astype(np.float64) / model.temperature
            scores[rows], moved[rows] = own, own - cuts(model.task, model.thresholds)
        return cls(corpus, task, fold, scores, moved)

    def figures(self, target: NDArray[Any]) -> dict[str, Any]:
        """What ``judge`` says of a test part, of all rows; and ``folds``, ``trainings``: each fold's values, and their mean."""
        task, corpus, weight = self.task, self.corpus, self.corpus.weights
        decided, values = self._values(target, np.arange(len(target)))
        each = [np.flatnonzero(self.fold == number) for number in range(self.fold.max() + 1)]
        folds = [{name: value.value for name, value in self._values(target, rows)[1].items()} for rows in each]
        trainings = {name: metrics.over_trainings(np.array([fold[name] for fold in folds])).to_json() for name in values}
        rows, mistakes = task.mistakes(self._answers, decided, target, None)
        texts = corpus.texts(rows)
        return {
            "part": PART,
            "rows": len(target),
            "texts": len(np.unique(corpus.keys)),
            **decided.to_json(task.labels),
            "metrics": {name: value.to_json() for name, value in values.items()},
            "uncalibrated": {},
            "baseline": task.baseline(target, target, weights=weight, groups=corpus.keys),
            "by_threshold": task.by_threshold(self.scores, target, weights=weight, groups=corpus.keys),
            "mistakes": [
                {"text": text, **what, "place": corpus.place(int(row))}
                for text, what, row in zip(texts, mistakes, rows, strict=True)
            ],
            "folds": [{"rows": len(rows), **fold} for rows, fold in zip(each, folds, strict=True)],
            "trainings": trainings,
        }

    def _answers(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Of some rows the probabilities that are decided by, or the numbers."""
        return self.task.probabilities(self.moved[rows]) if self.task.has_probabilities else self.scores[rows]

    def rows(self, target: NDArray[Any]) -> Iterator[dict[str, Any]]:
        """A row for each: where it stands, its fold, text, label, answer, the weight if any, and each label's probability."""
        task = self.task
        chances = task.probabilities(self.scores) if task.has_probabilities else None
        for first in range(0, len(target), 1000):
            rows = np.arange(first, min(first + 1000, len(target)))
            labels = task.original([task.name_of(target[row]) for row in rows])
            decided = task.original(task.decide(self._answers(rows), None))
            for row, text, label, answer in zip(rows.tolist(), self.corpus.texts(rows), labels, decided, strict=True):
                said = {"row": row + 1, "fold": int(self.fold[row]) + 1, "text": text, "label": label, "predicted": answer}
                if self.corpus.weights is not None:
                    said["weight"] = float(self.corpus.weights[row])
                if chances is not None:
                    said |= {f"probability:{name}": float(p) for name, p in zip(task.labels, chances[row], strict=True)}
                yield said

    def _values(self, target: NDArray[Any], rows: NDArray[np.int64]) -> tuple[metrics.Evaluation, dict[str, metrics.Interval]]:
        """The evaluation by decisions, and the metrics: those of decisions from it, those of probabilities from the others."""
        weight = None if self.corpus.weights is None else self.corpus.weights[rows]
        probable, decided = (
            self.task.evaluate(scores[rows], target[rows], weight, groups=self.corpus.keys[rows])
            for scores in (self.scores, self.moved)
        )
        pairs = zip(probable.metrics.items(), decided.metrics.values(), strict=True)
        return replace(decided, reliability=probable.reliability), {
            name: cut if name in metrics.RISING else value for (name, value), cut in pairs
        }


def cuts(task: LabelTask, thresholds: Sequence[float] | None) -> NDArray[np.float64]:
    """What to take from logits [N, labels] so that ``thresholds`` stand at 0.5: their logits; of two classes the second's."""
    moved = np.zeros(len(task.labels) or 1)
    if thresholds is not None:
        moved[-len(thresholds) :] = special.logit(np.clip(thresholds, 1e-12, 1 - 1e-12))
    return moved


def _check_labels(corpus: Corpus, task: LabelTask, fold: NDArray[np.uint8], target: NDArray[Any]) -> None:
    """Raise DataError where all rows of a label are in one fold: a model without it would not know the label."""
    for number, label in enumerate(task.labels):
        rows = target[:, number] > 0 if target.ndim == 2 else target == number
        if len(np.unique(fold[rows])) < 2:
            raise DataError(
                f"{corpus.source}: all rows of the label {label!r} ({rows.sum():,}) are in one fold, so a model of the others "
                "does not know it. Leave its rows out, find more of them, or take another --seed."
            )
