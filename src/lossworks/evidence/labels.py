"""Classifiers and regressions as arms of a comparison."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .. import metrics, models
from ..data import TEST, TRAIN, VALID, Languages
from ..data.duplicates import Duplicates, find
from ..data.shards import BUDGET
from ..engine import Callbacks
from ..models.pool.weights import constant
from ..tasks import LabelTask
from ..training import Settings
from ..training.assembling import read_features
from ..training.balancing import check_languages
from ..training.classifier import default_loss, loss_for
from ..training.dataset import LEFT_OUT, Dataset
from ..training.describing import describe
from ..training.judging import calibration
from ..training.refit import training
from ..training.resolving import for_examples
from . import label_diagnostics
from .benchmark import Benchmark, Scored
from .each import EachSettings, for_arm, for_rows
from .label_rows import LabelRows, source_of
from .label_trainings import ByEpochs
from .outcome import Outcome
from .trainings import Constant, Training
from .verdicts import Measured

Answered = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]
"""Scores, targets and weights of some rows."""
EPOCHS, SCHEDULE = 10, "linear"
"""One length for all arms, and a rate that ends at nothing: the end is then worth evaluating."""


@dataclass(slots=True)
class LabelBenchmark(Benchmark[Dataset]):
    """Labelled texts."""

    _split: Dataset | None = None
    _rows: LabelRows = field(init=False)

    def __post_init__(self) -> None:
        self._rows = LabelRows(self.corpora, self.fixed, self.common, self.teachers)

    @property
    def split(self) -> Dataset:
        """Parts and targets, no text read yet."""
        if self._split is None:
            self._split = self._rows.assemble(self.common.get("class_weight"), None)
        return self._split

    @property
    def task(self) -> LabelTask:
        return self.split.task

    @property
    def unit(self) -> str:
        return "test rows"

    @property
    def texts(self) -> NDArray[Any]:
        return np.asarray(self.split.keys[self.split.parts == TEST])

    @property
    def languages(self) -> Languages | None:
        return _tested(self.split)

    def sizes(self, metric: str, settings: Settings) -> NDArray[np.float64]:
        tested = self.split.parts == TEST
        return np.ones(int(tested.sum())) if self.split.weight is None else self.split.weight[tested].astype(np.float64)

    def describe(self) -> dict[str, Any]:
        return describe(self.split)

    def duplicates(self) -> Duplicates:
        parts = self.split.parts
        return find(self.split.corpora, np.where(parts == LEFT_OUT, np.uint8(TRAIN), parts))  # some arm may learn from them

    def resolve(self, own: Mapping[str, Any]) -> Settings:
        settings = for_arm({"epochs": EPOCHS, "schedule": SCHEDULE, **self.common}, own)
        data = self._rows.taught(self._rows.assemble(None, settings.teach), settings)
        settings = replace(settings, loss=settings.loss or default_loss(data))
        return for_examples(settings, self.task, _deciding(data, settings))

    def check(self, settings: Settings) -> None:
        loss_for(settings, self._rows.taught(self._rows.assembled(settings), settings))
        check_languages(settings, self.corpora)

    def _training(self, settings: Settings, callbacks: Callbacks, parts: Sequence[int]) -> Training:
        read, whole = self.ready(settings), self._rows.assembled(settings)
        if read.features is None:
            train = whole.target[(read if (read.parts == TRAIN).any() else whole).parts == TRAIN]
            return Constant([self.task.constant_scores(train, read.target[read.parts == part]) for part in parts])

        def watch(event: str, fields: dict[str, Any]) -> None:
            """With scores after calibration, as at the end: before it, losses that differ in confidence do not compare."""
            if event == "valid":
                fields = fields | {self.task.held_out_metric: self.scored([found.answers_of(VALID)], settings).validation}
            told.watch(event, fields)

        if isinstance(settings, EachSettings):
            settings = for_rows(settings, self.task, _deciding(whole, settings), int((read.parts == TRAIN).sum()))
        else:
            callbacks, told = replace(callbacks, watch=watch), callbacks
        data, spec = self._rows.taught(read, settings), models.build(settings.spec)  # type: ignore[arg-type]
        loss = loss_for(settings, replace(data, parts=whole.parts))  # a language alone may lack a class
        endless = replace(settings, patience=int(settings.epochs or 1) + 1)
        loop = training(data, spec, loss, endless, callbacks)
        loop.keeps_best = False
        found = ByEpochs(loop, data, settings, parts)
        return found

    def places(self, settings: Settings, part: int) -> dict[str, NDArray[np.int64]]:
        languages = self.split.languages
        assert languages is not None
        return languages.take(np.flatnonzero(self.split.parts == part)).rows()

    def can_train(self, settings: EachSettings) -> bool:
        """Two rows or more differ in what is to be predicted."""
        target = (data := self._rows.assembled(settings).only(str(settings.language))).target[data.parts == TRAIN]
        return len(target) > 0 and bool((target != target[0]).any())

    def scored(self, answers: Sequence[NDArray[Any]], settings: Settings) -> Scored:
        """The validation rows calibrate, and are judged by."""
        data, task, parts = self.split, self.task, list[Answered]()
        for part, scores in zip((VALID, TEST), answers, strict=False):
            rows = data.parts == part
            parts.append((scores, data.target[rows], None if data.weight is None else data.weight[rows]))
        temperature, thresholds = calibration(task, *parts[0], settings.class_weight)
        how: dict[str, Any] = {"temperature": temperature, "thresholds": thresholds}
        validation = float(task.by_row(*parts[0], **how)[task.proper].mean())
        if len(parts) == 1:
            return Scored(validation)
        found = task.evaluate(*parts[1], **how)
        bins = [(one["confidence"], one["accuracy"], int(one["count"])) for one in found.reliability.get("after", [])]
        said = None if found.predicted.ndim > 1 else found.predicted.astype(np.float64)
        f1 = [one["f1"] for one in found.per_class]
        logits = np.concatenate(answers).astype(np.float64) / temperature
        logp = log_softmax(logits, 1) if task.kind == "classify" else None
        within = _within(task, parts[1], self.languages, **how)
        return Scored(validation, task.by_row(*parts[1], **how), said, bins, f1, logp, within)

    def pooled(self, members: Sequence[Outcome], settings: Settings, metric: str) -> Outcome:
        data, began = self.split, time.monotonic()
        rows = [np.flatnonzero(data.parts == part) for part in (VALID, TEST)]
        answers = np.stack([np.reshape(one.logp, (-1, len(data.task.labels))) for one in members])  # type: ignore[arg-type]
        target, valid = data.target[np.concatenate(rows)], len(rows[0])
        weight = None if data.weight is None else data.weight[np.concatenate(rows)].astype(np.float64)
        said = np.take_along_axis(answers, target[None, :, None], 2)[..., 0]
        logp = constant(said[:, :valid], None if weight is None else weight[:valid]).combine(answers)
        found = self.scored([logp[:valid], logp[valid:]], settings)
        seconds = sum(one.seconds for one in members) + time.monotonic() - began
        return self._outcome(found, metric, [], seconds, sum(one.texts for one in members))

    def prior(self, metric: str) -> NDArray[np.float64]:
        return self.task.by_row(*self._constant())[metric]

    def prior_within(self, metric: str) -> NDArray[np.float64] | None:
        return _within(self.task, self._constant(), self.languages).get(metric)

    def _constant(self) -> Answered:
        """What the constant baseline says of the test rows."""
        data, rows = self.split, np.flatnonzero(self.split.parts == TEST)
        scores = self.task.constant_scores(data.target[data.parts == TRAIN], data.target[rows])
        return scores, data.target[rows], None if data.weight is None else data.weight[rows]

    def diagnostics(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[Settings]
    ) -> dict[str, Any]:
        tested = label_diagnostics.Tested.of(self.split, outcomes)
        slices = label_diagnostics.slices(tested, measured, metric)
        return {"slices": slices, "reading": label_diagnostics.reading(tested, measured, metric)}

    def _key(self, settings: Settings) -> Any:
        source = source_of(settings.teach) if self.teachers and self.split.given is not None else None
        language = settings.language if isinstance(settings, EachSettings) else None
        return settings.model, str(settings.class_weight), source, settings.balance, language

    def _reading(self, settings: Settings, folder: Path) -> Dataset:
        data = replace(self._rows.assembled(settings), balance=settings.balance)
        if isinstance(settings, EachSettings):
            data = data.only(str(settings.language))
            if not self.can_train(settings):
                return data
        features = models.build(settings.spec).features()  # type: ignore[arg-type]
        features.to(settings.device)
        read_features(data, features, folder, int(self.common.get("seed", 0)), BUDGET, Callbacks(watch=self.watch))
        return data


def _deciding(data: Dataset, settings: Settings) -> int:
    """How many training rows decide the choices of an arm; of one model for each language, those of the largest."""
    train, languages = data.parts == TRAIN, data.languages
    if not isinstance(settings, EachSettings) or languages is None:
        return int(train.sum())
    return int(np.bincount(languages.of_row[train]).max())


def _tested(data: Dataset) -> Languages | None:
    """The languages of the test rows, where they are told apart."""
    return None if data.languages is None else data.languages.take(np.flatnonzero(data.parts == TEST))


def _within(task: LabelTask, answered: Answered, languages: Languages | None, **how: Any) -> dict[str, NDArray[np.float64]]:
    """F1 of each language by itself, row by row."""
    scores, target, weight = answered
    if languages is None:
        return {}

    def rows_of(rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        return task.by_row(scores[rows], target[rows], None if weight is None else weight[rows], **how)

    return metrics.rows_within(rows_of, languages, weight)
