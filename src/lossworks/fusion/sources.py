"""Sources: whatever answers for the same outcomes as a model, or says nothing.

A source of labels answers texts with logits of the labels. A row of NaN is silence: then a pool goes by the others alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..inference import Predictor, load_predictor
from ..tasks import LabelTask


class LabelSource(ABC):
    """Knowledge of what labels texts have. ``kind`` is what its spec begins with: ``lexicon:FILE``."""

    kind: ClassVar[str]

    @abstractmethod
    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[N, labels], in the order of the task's labels: of classes log-probabilities but for a constant of each row, of label
        sets the log-odds of each label. Where the source has nothing to say of a text, its whole row is NaN.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what it knows into a folder of its own."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, task: LabelTask) -> Self:
        """What ``save`` wrote.

        Raises:
            RecordError: a file is missing or damaged.
        """


class RunSource(LabelSource):
    """A trained classifier, calibrated as it is."""

    kind = "run"

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.predictor.scores(texts).astype(np.float64) / self.predictor.temperature

    def save(self, folder: Path) -> None:
        self.predictor.save(folder)

    @classmethod
    def load(cls, folder: Path, task: LabelTask) -> RunSource:
        return cls(load_predictor(folder))


class UniformSource(LabelSource):
    """Every label alike: what a mixture is smoothed with."""

    kind = "uniform"

    def __init__(self, labels: int) -> None:
        self.labels = labels

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.zeros((len(texts), self.labels))

    def save(self, folder: Path) -> None:
        """It knows nothing but how many labels there are, which the task says."""

    @classmethod
    def load(cls, folder: Path, task: LabelTask) -> UniformSource:
        return cls(len(task.labels))
