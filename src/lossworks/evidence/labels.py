"""Classifiers and regressions as arms of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import models
from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Languages
from ..data.duplicates import Duplicates, find
from ..engine import Callbacks, Loop, TrainState
from ..inference import NetworkPredictor
from ..tasks import LabelTask
from ..training import Settings
from ..training.balancing import check_languages
from ..training.classifier import loss_for
from ..training.dataset import Dataset, Part, assemble, read_features
from ..training.describing import describe
from ..training.examples import ExampleObjective
from ..training.fitting import BUDGET
from ..training.judging import calibrate_by, scored
from ..training.refit import training
from ..training.resolving import for_examples
from ..training.settings import for_family
from . import label_diagnostics
from .benchmark import Benchmark, Scored, Training
from .outcome import Outcome
from .verdicts import Measured

EPOCHS, SCHEDULE = 10, "linear"
"""One length for all arms, and a rate that ends at nothing: the end is then worth evaluating."""


class ByEpochs(Training):
    """A loop over epochs."""

    def __init__(self, loop: Loop, data: Dataset, settings: Settings) -> None:
        self.loop, self.data, self.settings = loop, data, settings
        self.steps, self.scores = loop.clock.steps, int(settings.epochs or 1)
        self.size = int((data.parts == TRAIN).sum()) * self.scores

    def run(self) -> TrainState:
        return self.loop.run()

    def stop_after(self, step: int) -> None:
        self.loop.last_step = step

    def score(self, *, tested: bool) -> Scored:
        """The validation rows calibrate, and are then judged by."""
        data, objective = self.data, self.loop.objective
        assert isinstance(objective, ExampleObjective)
        assert data.features is not None
        assert data.valid is not None
        spec = models.build(self.settings.spec)  # type: ignore[arg-type]
        predictor = NetworkPredictor(data.task, spec, data.features, objective.network.eval())
        judged = _in_order(predictor, data, data.valid)
        calibrate_by(predictor, *judged, self.settings.class_weight)
        how: dict[str, Any] = {"temperature": predictor.temperature, "thresholds": predictor.thresholds}
        validation = float(data.task.by_row(*judged, **how)[data.task.proper].mean())
        if not tested or data.test is None:
            return Scored(validation)
        rows = _in_order(predictor, data, data.test)
        found = data.task.evaluate(*rows, **how)
        bins = [(one["confidence"], one["accuracy"], int(one["count"])) for one in found.reliability.get("after", [])]
        answers = None if found.predicted.ndim > 1 else found.predicted.astype(np.float64)
        return Scored(validation, data.task.by_row(*rows, **how), answers, bins, [one["f1"] for one in found.per_class])


@dataclass(slots=True)
class LabelBenchmark(Benchmark[Dataset]):
    """Labelled texts."""

    _split: Dataset | None = None

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
        found = self.split.languages
        return None if found is None else found.take(np.flatnonzero(self.split.parts == TEST))

    def sizes(self, metric: str, settings: Settings) -> NDArray[np.float64]:
        tested = self.split.parts == TEST
        return np.ones(int(tested.sum())) if self.split.weight is None else self.split.weight[tested].astype(np.float64)

    def describe(self) -> dict[str, Any]:
        return describe(self.split)

    def duplicates(self) -> Duplicates:
        return find(self.split.corpora, self.split.parts)

    def resolve(self, own: Mapping[str, Any]) -> Settings:
        shared = {"epochs": EPOCHS, "schedule": SCHEDULE, **self.common}
        if shared.get("teach") or own.get("teach"):
            raise UsageError("compare does not train with a teacher. Leave --teach out, and compare runs of lossworks fit.")
        return for_examples(for_family(shared, own), self.task, int((self.split.parts == TRAIN).sum()))

    def check(self, settings: Settings) -> None:
        loss_for(settings, self.split)
        if settings.class_weight is not None:
            self._assemble(settings.class_weight, None)
        check_languages(settings, self.corpora)

    def training(self, settings: Settings, callbacks: Callbacks) -> ByEpochs:
        data, spec, loss = self.ready(settings), models.build(settings.spec), loss_for(settings, self.split)  # type: ignore[arg-type]

        def watch(event: str, fields: dict[str, Any]) -> None:
            """With scores after calibration, as at the end: before it, losses that differ in confidence do not compare."""
            if event == "valid":
                fields = fields | {self.task.held_out_metric: found.score(tested=False).validation}
            callbacks.watch(event, fields)

        endless = replace(settings, patience=int(settings.epochs or 1) + 1)
        loop = training(data, spec, loss, endless, replace(callbacks, watch=watch))
        loop.keeps_best = False
        found = ByEpochs(loop, data, settings)
        return found

    def prior(self, metric: str) -> NDArray[np.float64]:
        data = self.split
        rows = np.flatnonzero(data.parts == TEST)
        scores = self.task.constant_scores(data.target[data.parts == TRAIN], data.target[rows])
        return self.task.by_row(scores, data.target[rows], None if data.weight is None else data.weight[rows])[metric]

    def diagnostics(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[Settings]
    ) -> dict[str, Any]:
        tested = label_diagnostics.Tested.of(self.split, outcomes)
        slices = label_diagnostics.slices(tested, measured, metric)
        return {"slices": slices, "reading": label_diagnostics.reading(tested, measured, metric)}

    def _key(self, settings: Settings) -> Any:
        return settings.model, str(settings.class_weight), settings.balance

    def _reading(self, settings: Settings, folder: Path) -> Dataset:
        data = self._assemble(settings.class_weight, settings.balance)
        features = models.build(settings.spec).features()  # type: ignore[arg-type]
        features.to(settings.device)
        read_features(data, features, folder, int(self.common.get("seed", 0)), BUDGET, self.watch)
        return data

    def _assemble(self, class_weight: Any, balance: str | None) -> Dataset:
        common = Settings(**{name: self.common[name] for name in ("task", "valid", "test", "seed") if name in self.common})
        shares = common.valid, common.test
        data = assemble(self.corpora, self.fixed, common.task, class_weight, *shares, common.seed, balance=balance)
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
