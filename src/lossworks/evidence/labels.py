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
from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Languages
from ..data.duplicates import Duplicates, find
from ..data.shards import BUDGET
from ..engine import Callbacks, Loop, TrainState
from ..inference import NetworkPredictor
from ..models.pool.weights import constant
from ..tasks import LabelTask
from ..training import Settings
from ..training.balancing import check_languages
from ..training.classifier import default_loss, loss_for
from ..training.dataset import LEFT_OUT, Dataset, assemble, read_features
from ..training.describing import describe
from ..training.examples import ExampleObjective
from ..training.judging import calibration, scored
from ..training.refit import training
from ..training.resolving import for_examples
from ..training.teaching import CUT, Taught, teach
from . import label_diagnostics
from .benchmark import Benchmark, Scored
from .each import EachSettings, for_arm, for_rows
from .outcome import Outcome
from .trainings import Constant, Training
from .verdicts import Measured

Answered = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]
"""Scores, targets and weights of some rows."""
EPOCHS, SCHEDULE = 10, "linear"
"""One length for all arms, and a rate that ends at nothing: the end is then worth evaluating."""


class ByEpochs(Training):
    """A loop over epochs."""

    def __init__(self, loop: Loop, data: Dataset, settings: Settings, parts: Sequence[int]) -> None:
        self.loop, self.data, self.settings, self.parts = loop, data, settings, parts
        self.steps, self.scores = loop.clock.steps, int(settings.epochs or 1)
        self.size = int((data.parts == TRAIN).sum()) * self.scores

    def run(self) -> TrainState:
        return self.loop.run()

    def stop_after(self, step: int) -> None:
        self.loop.last_step = step

    def answers(self) -> list[NDArray[Any]]:
        said = [self.answers_of(part) for part in self.parts]
        if not isinstance(self.settings, EachSettings) or VALID not in self.parts:
            return said
        data, rows = self.data, self.data.parts == VALID  # calibrated by its language's own rows, before those of all
        weight = None if data.weight is None else data.weight[rows]
        temperature, _ = calibration(data.task, said[0], data.target[rows], weight, None)
        return [scores / temperature for scores in said]

    def answers_of(self, part: int) -> NDArray[Any]:
        """The scores of a part's rows as the network stands, in the order of the data, however the texts are kept."""
        data, objective = self.data, self.loop.objective
        rows = {VALID: data.valid, TEST: data.test}[part]
        assert isinstance(objective, ExampleObjective)
        assert data.features is not None
        assert rows is not None
        spec = models.build(self.settings.spec)  # type: ignore[arg-type]
        predictor = NetworkPredictor(data.task, spec, data.features, objective.network.eval())
        scores, _, _, numbers = scored(predictor, data, rows)
        return scores[np.argsort(numbers)]


@dataclass(slots=True)
class LabelBenchmark(Benchmark[Dataset]):
    """Labelled texts."""

    _split: Dataset | None = None
    _said: dict[str, Taught] = field(default_factory=dict)
    _whole: dict[Any, Dataset] = field(default_factory=dict)

    @property
    def split(self) -> Dataset:
        """Parts and targets, no text read yet."""
        if self._split is None:
            self._split = self._assemble(self.common.get("class_weight"), None)
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
        data = self._taught(self._assemble(None, settings.teach), settings)
        settings = replace(settings, loss=settings.loss or default_loss(data))
        return for_examples(settings, self.task, _rows(data, settings))

    def check(self, settings: Settings) -> None:
        loss_for(settings, self._taught(self._assembled(settings), settings))
        check_languages(settings, self.corpora)

    def _training(self, settings: Settings, callbacks: Callbacks, parts: Sequence[int]) -> Training:
        read, whole = self.ready(settings), self._assembled(settings)
        if read.features is None:
            train = whole.target[(read if (read.parts == TRAIN).any() else whole).parts == TRAIN]
            return Constant([self.task.constant_scores(train, read.target[read.parts == part]) for part in parts])

        def watch(event: str, fields: dict[str, Any]) -> None:
            """With scores after calibration, as at the end: before it, losses that differ in confidence do not compare."""
            if event == "valid":
                fields = fields | {self.task.held_out_metric: self.scored([found.answers_of(VALID)], settings).validation}
            told.watch(event, fields)

        if isinstance(settings, EachSettings):
            settings = for_rows(settings, self.task, _rows(whole, settings), int((read.parts == TRAIN).sum()))
        else:
            callbacks, told = replace(callbacks, watch=watch), callbacks
        data, spec = self._taught(read, settings), models.build(settings.spec)  # type: ignore[arg-type]
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
        target = (data := self._assembled(settings).only(str(settings.language))).target[data.parts == TRAIN]
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
        source = _source(settings.teach) if self.teachers and self.split.given is not None else None
        language = settings.language if isinstance(settings, EachSettings) else None
        return settings.model, str(settings.class_weight), source, settings.balance, language

    def _reading(self, settings: Settings, folder: Path) -> Dataset:
        data = replace(self._assembled(settings), balance=settings.balance)
        if isinstance(settings, EachSettings):
            data = data.only(str(settings.language))
            if not self.can_train(settings):
                return data
        features = models.build(settings.spec).features()  # type: ignore[arg-type]
        features.to(settings.device)
        read_features(data, features, folder, int(self.common.get("seed", 0)), BUDGET, Callbacks(watch=self.watch))
        return data

    def _assembled(self, settings: Settings) -> Dataset:
        """The same before any text is read, of all languages."""
        key = str(settings.class_weight), _source(settings.teach)
        if key not in self._whole:
            self._whole[key] = self._assemble(settings.class_weight, settings.teach)
        return self._whole[key]

    def _assemble(self, class_weight: Any, teach: str | None = None) -> Dataset:
        """Parts and targets, the same for all arms but that rows without a label are left out where no teacher speaks of them."""
        common = Settings(**{name: self.common[name] for name in ("task", "valid", "test", "seed") if name in self.common})
        how = class_weight, common.valid, common.test, common.seed
        taught = self._says(_source(teach)) if self.teachers else None
        if taught is not None:
            silent = taught.silent if teach else np.ones_like(taught.silent)
            taught = replace(taught, silent=silent, notes=[])
        data = assemble(self.corpora, self.fixed, common.task, *how, taught)
        data.teacher, data.posterior = None, False
        for part, name in ((VALID, "validation"), (TEST, "test")):
            if not (data.parts == part).any():
                raise UsageError(
                    f"{self.corpora[0].source}: no {name} rows {'with a label ' * bool(self.teachers)}are held out, and compare "
                    "judges by them. Give more rows (40 or more), or files of them with --valid and --test."
                )
        return data

    def _taught(self, data: Dataset, settings: Settings) -> Dataset:
        """The data with the teacher of an arm."""
        if settings.teach is None:
            return replace(data, given=None)
        taught = self._says(_source(settings.teach))
        rows = np.flatnonzero(data.parts == TRAIN)
        is_cut = settings.teach.startswith(CUT)
        says = taught.cut(data.task, rows, settings.seed) if is_cut else taught.of_network(data.task)
        return replace(data, teacher=says, posterior=taught.posterior)

    def _says(self, teacher: str | None) -> Taught:
        """What a teacher says of the rows. What the first one says completes the labels, for the strata that all arms share."""
        first = next(iter(self.teachers))
        for name in (first, teacher or first):
            if name not in self._said:
                found = teach(self.corpora, self.fixed, self.common.get("task", "auto"), self.teachers[name]())
                self._said[name] = found if name == first else replace(found, given=self._said[first].given)
        return self._said[teacher or first]


def _source(teach: str | None) -> str | None:
    """The teacher of an arm, cut or not."""
    return teach.removeprefix(CUT) if teach else None


def _rows(data: Dataset, settings: Settings) -> int:
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
