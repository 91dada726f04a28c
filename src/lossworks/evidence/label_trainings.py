"""Trainings of classifiers and regressions on the rows of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import models
from ..data import TEST, TRAIN, VALID
from ..engine import Loop
from ..inference import NetworkPredictor
from ..training import Settings
from ..training.dataset import Dataset
from ..training.examples import ExampleObjective
from ..training.judging import calibration, scored
from .each import EachSettings
from .trainings import Looped


class ByEpochs(Looped):
    """A loop over epochs."""

    def __init__(self, loop: Loop, data: Dataset, settings: Settings, parts: Sequence[int]) -> None:
        self.loop, self.data, self.settings, self.parts = loop, data, settings, parts
        self.steps, self.scores = loop.clock.steps, int(settings.epochs or 1)
        self.size = int((data.parts == TRAIN).sum()) * self.scores

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
