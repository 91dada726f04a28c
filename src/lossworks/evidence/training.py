"""One training of one arm: what every trial and every seed of a comparison is.

The data is split once and read once for each reading of text; a training then differs by its settings and its seed alone: same
seed, same first weights where the shapes allow, same order of rows, whichever the arm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses, metrics, models
from ..core.errors import Diverged, UsageError
from ..data import TEST, TRAIN, VALID, Corpus
from ..data.duplicates import Duplicates, find
from ..engine import Callbacks
from ..inference import NetworkPredictor
from ..tasks import Task
from ..training import Settings
from ..training.dataset import Dataset, Part, assemble, read_features
from ..training.fitting import BUDGET, TURN, calibrate, describe, measure, memory_named, scored
from ..training.loop import Loop
from ..training.objective import loss_for
from ..training.refit import training
from ..training.validation import metric_of
from . import behind_labels
from .outcome import Outcome
from .verdicts import Measured


@dataclass(frozen=True, slots=True)
class Tested:
    """What the test rows show of a training: every metric of each row, in the order of the data, and as in ``Outcome``."""

    rows: dict[str, NDArray[np.float64]]
    said: NDArray[np.float64] | None
    bins: list[tuple[float, float, int]]
    f1: list[float]


@dataclass(slots=True)
class Field:
    """The data of a comparison, split by one seed, on which every arm is trained."""

    corpora: list[Corpus]
    fixed: list[int | None]
    common: Settings
    scratch: Path
    watch: Callable[[str, dict[str, Any]], None] = lambda event, fields: None
    stop: Event = field(default_factory=Event)
    _split: Dataset | None = None
    _read: dict[tuple[str, str | None], Dataset] = field(default_factory=dict)

    @property
    def split(self) -> Dataset:
        """Parts and targets, no text read yet."""
        if self._split is None:
            self._split = self._assemble(self.common.class_weight)
        return self._split

    @property
    def task(self) -> Task:
        return self.split.task

    @property
    def kind(self) -> str:
        """Of the task."""
        return self.task.kind

    @property
    def train_rows(self) -> int:
        """How many rows train."""
        return int((self.split.parts == TRAIN).sum())

    @property
    def rows_are(self) -> str:
        """What the rows of figures are."""
        return "test rows"

    def describe(self) -> dict[str, Any]:
        """What the record says of the data."""
        return describe(self.split)

    def resolve(self, shared: Mapping[str, Any], chosen: Mapping[str, Any]) -> Settings:
        """An arm with every choice made; ``shared`` by arms beside the settings in common is nothing here."""
        return replace(self.common, **{**shared, **chosen}).resolved(self.kind, self.train_rows)

    def metric(self, asked: str | None, arms: Sequence[Settings]) -> str:
        """The metric of the verdicts. Raises UsageError where it is none of the task."""
        metric = asked or metrics.PROPER[self.kind]
        metrics.check_metric(self.kind, metric)
        return metric

    def duplicates(self) -> Duplicates:
        """Held-out texts that stand among the training texts."""
        return find(self.split.corpora, self.split.parts)

    def check(self, settings: Settings) -> None:
        """Raise UsageError where an arm's loss or class weights do not fit the data."""
        self._loss(settings)
        if settings.class_weight is not None:
            self._assemble(settings.class_weight)

    def train(self, settings: Settings, metric: str | None) -> Outcome:
        """Train one arm to the end of its schedule; with a ``metric``, measure the test rows, else the validation rows alone."""
        curve: list[tuple[float, float, float]] = []
        started = time.monotonic()

        def note(event: str, fields: dict[str, Any]) -> None:
            if event == "valid":
                curve.append((fields["epoch"], time.monotonic() - started, fields[metric_of(self.task)]))

        with TURN, memory_named(settings):
            loop = self.loop(settings, Callbacks(watch=note, stop=self.stop))
            texts = self.train_rows * int(settings.epochs or 1)
            started = time.monotonic()
            try:
                seconds = loop.run().seconds
            except Diverged as error:
                return Outcome(math.inf, None, {}, curve, time.monotonic() - started, texts, str(error))
            judged, tested = self.measure(loop, settings, metric is not None)
        rows = tested.rows if tested else {}
        metrics = {name: float(values.mean()) for name, values in rows.items()}
        if not math.isfinite(judged) or not all(map(math.isfinite, metrics.values())):
            return Outcome(math.inf, None, {}, curve, seconds, texts, "the held-out scores are not finite")
        whole = Outcome(judged, rows.get(metric or ""), metrics, curve, seconds, texts)
        return whole if tested is None else replace(whole, said=tested.said, bins=tested.bins, f1=tested.f1)

    def loop(self, settings: Settings, control: Callbacks, most_steps: int | None = None) -> Loop:
        """A training of an arm, not begun. It ends with its schedule, and the weights are those it ends with."""
        data = self.ready(settings)
        endless = replace(settings, patience=int(settings.epochs or 1) + 1)
        loop = training(data, models.build(settings.model), self._loss(settings), endless, control, most_steps=most_steps)
        loop.keeps_best = False
        return loop

    def lasts(self, loop: Loop, settings: Settings) -> tuple[int, int]:
        """Steps of a whole training, and scores of the validation rows on the way."""
        epochs = int(settings.epochs or 1)
        return loop.length * epochs, epochs

    def measure(self, loop: Loop, settings: Settings, tested: bool) -> tuple[float, Tested | None]:
        """The validation rows' proper score, calibrated, and what the test rows show where they are to be ``tested``."""
        data = loop.data
        assert data.features is not None
        assert data.valid is not None
        predictor = NetworkPredictor(self.task, models.build(settings.model), data.features, loop.network.eval())
        calibrate(predictor, data, data.valid, settings.class_weight)
        judged = self._by_row(predictor, *_in_order(predictor, data, data.valid))
        proper = float(judged[metrics.PROPER[self.task.kind]].mean())
        return proper, self._tested(predictor, data, data.test) if tested and data.test is not None else None

    def prior(self, metric: str) -> NDArray[np.float64]:
        """The metric of each test row for the answer that never reads the text."""
        data = self.split
        rows = np.flatnonzero(data.parts == TEST)
        scores = metrics.constant_scores(
            self.task.kind, data.target[data.parts == TRAIN], data.target[rows], len(self.task.labels)
        )
        weight = None if data.weight is None else data.weight[rows]
        return metrics.by_row(self.task.kind, scores, data.target[rows], weights=weight)[metric]

    def behind(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[Settings]
    ) -> dict[str, Any]:
        """In which rows arms differ, and texts to read."""
        tested = behind_labels.Tested.of(self.split, outcomes)
        return {
            "slices": behind_labels.slices(tested, measured, metric), "reading": behind_labels.reading(tested, measured, metric),
        }  # fmt: skip

    def _tested(self, predictor: NetworkPredictor, data: Dataset, part: Part) -> Tested:
        scores, target, weight = _in_order(predictor, data, part)
        found = measure(predictor, scores, target, weight)
        bins = [(one["confidence"], one["accuracy"], int(one["count"])) for one in found.reliability.get("after", [])]
        said = None if found.predicted.ndim > 1 else found.predicted.astype(np.float64)
        rows = self._by_row(predictor, scores, target, weight)
        return Tested(rows, said, bins, [one["f1"] for one in found.per_class])

    def _by_row(
        self, predictor: NetworkPredictor, scores: NDArray[Any], target: NDArray[Any], weight: NDArray[Any] | None
    ) -> dict[str, NDArray[np.float64]]:
        """Every metric of each row."""
        temperature, thresholds = predictor.temperature, predictor.thresholds
        return metrics.by_row(self.task.kind, scores, target, weights=weight, temperature=temperature, thresholds=thresholds)

    def ready(self, settings: Settings) -> Dataset:
        """The data as an arm's model reads it."""
        key = settings.model, settings.class_weight
        if key not in self._read:
            data = self._assemble(settings.class_weight)
            folder = self.scratch / str(len(self._read))
            folder.mkdir()
            rows = len(data.parts)
            read_features(
                data,
                models.build(settings.model).features(),
                folder,
                self.common.seed,
                BUDGET,
                lambda row: self.watch("read", {"rows": row, "of": rows}),
            )
            self._read[key] = data
        return self._read[key]

    def _loss(self, settings: Settings) -> losses.Loss:
        return loss_for(settings.loss or "", self.task, self.split.target[self.split.parts == TRAIN])

    def _assemble(self, class_weight: str | None) -> Dataset:
        common = self.common
        data = assemble(self.corpora, self.fixed, common.task, class_weight, common.valid, common.test, common.seed)
        for part, name in ((VALID, "validation"), (TEST, "test")):
            if not (data.parts == part).any():
                raise UsageError(
                    f"{self.corpora[0].source}: no {name} rows are held out, and compare judges by them. Give more rows (40 or "
                    "more), or files of them with --valid and --test."
                )
        return data


def _in_order(predictor: NetworkPredictor, data: Dataset, part: Part) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Scores, targets and weights of a part in the order of the data, which does not depend on how the texts are kept."""
    scores, target, weight, numbers = scored(predictor, data, part)
    order = np.argsort(numbers)
    return scores[order], target[order], None if weight is None else weight[order]
