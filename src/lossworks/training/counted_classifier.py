"""Classes by what is counted in their texts: one pass, then calibrated and judged like any classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import balances, models
from ..data import TEST, TRAIN, VALID, Corpus, Ragged
from ..engine import Callbacks
from ..inference import CountedPredictor
from ..models import CountedSpec
from ..tokens.scripts import FIRST, script_counts, scripts
from .classes_in_one_call import judged, rows_to_count
from .dataset import Dataset
from .describing import describe
from .judging import calibrate
from .refit import with_validation_rows
from .settings import Settings

_STRAY = 0.01
"""Share of a class's characters below which a script is taken for names and quotations."""


@dataclass(slots=True)
class _Part:
    """The rows of one part, read when they are wanted."""

    data: Dataset
    spec: CountedSpec
    part: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int((self.data.parts == self.part).sum())

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Ragged]]:
        """All rows, some at a time."""
        numbers, done = np.flatnonzero(self.data.parts == self.part), 0
        for _, texts in self.data.blocks(self.part):
            yield numbers[done : done + len(texts)], self.spec.read(texts)
            done += len(texts)


def fit(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, callbacks: Callbacks
) -> tuple[CountedPredictor, Settings, dict[str, Any], dict[str, Any]]:
    """What is counted in the training texts, the temperature from the validation part.

    Arguments, what is returned and errors are as of ``classifier.fit``. Nothing is kept halfway: resumed, it starts again.
    """
    began = callbacks.clock()
    data = rows_to_count(corpora, fixed, settings)
    spec = settings.spec
    assert isinstance(spec, CountedSpec)
    balance = settings.balance and balances.render(balances.build(settings.balance))
    settings = replace(settings, task=data.task.kind, model=models.render(spec), balance=balance)
    callbacks.watch("data", {"reason": data.reason, **describe(data), "config": settings.to_json()})
    callbacks.watch("start", {"step": 0})
    predictor = _counted(data, spec, settings.seed, callbacks)
    calibrate(predictor, data, _Part(data, spec, VALID), None)
    whole = None if VALID in fixed else with_validation_rows(data)
    if whole is not None:  # temperature and thresholds stay: they need rows that were not counted
        again = _counted(whole, spec, settings.seed, callbacks)
        again.temperature, again.thresholds = predictor.temperature, predictor.thresholds
        predictor, data = again, whole
    result = judged(predictor, data, _Part(data, spec, TEST), callbacks.clock() - began, twice=whole is not None)
    return predictor, settings, describe(data), result


def _counted(data: Dataset, spec: CountedSpec, seed: int, callbacks: Callbacks) -> CountedPredictor:
    """What the training rows say of each class, each as often as it is drawn."""
    codes, classes = list(scripts()), len(data.task.labels)
    counts, written = spec.counts(classes), np.zeros((classes, len(codes)), np.int64)
    times, target, done = data.times(seed), data.target[data.parts == TRAIN], 0
    target = target if times is None else np.repeat(target, times)
    for texts in data.training_texts(seed):
        own = target[done : done + len(texts)]
        counts.add(spec.read(texts), own)
        np.add.at(written, own, script_counts(texts))
        done += len(texts)
        callbacks.watch("read", {"rows": done, "of": len(target)})
    written[:, :FIRST] = 0
    most = written >= np.maximum(_STRAY * written.sum(1, keepdims=True), 1)
    known = tuple(tuple(codes[number] for number in np.flatnonzero(own)) for own in most)
    return CountedPredictor(data.task, spec, counts.learned(), known)
