"""Families that tell classes apart by what they counted in labelled texts, in one pass and without gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..data import Ragged


class CountedClassifier(ABC):
    """What was counted, as logits of the classes."""

    @abstractmethod
    def scores(self, read: Ragged) -> NDArray[np.float32]:
        """Logits [texts, classes] of texts as the spec's ``read`` gives them."""

    @abstractmethod
    def shuffled(self, order: np.random.Generator) -> CountedClassifier:
        """The same, knowing nothing of what was learned: what was counted of one feature is said of another."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, for the model's file."""


class ClassCounts(ABC):
    """Counts of the training texts, while they are read."""

    @abstractmethod
    def add(self, read: Ragged, classes: NDArray[np.int64]) -> None:
        """Count texts and the number of each one's class."""

    @abstractmethod
    def learned(self) -> CountedClassifier:
        """The classifier that the counts make.

        Raises:
            DataError: the texts hold nothing to learn from.
        """


@dataclass(frozen=True, kw_only=True)
class CountedSpec(ABC):
    """The hyperparameters of such a family."""

    no_further: ClassVar[str] = "it keeps what it counted rounded to a byte, so more cannot be added exactly"

    @abstractmethod
    def read(self, texts: Sequence[str]) -> Ragged:
        """Raw texts as features."""

    @abstractmethod
    def counts(self, classes: int) -> ClassCounts:
        """Nothing counted yet."""

    @abstractmethod
    def load(self, arrays: Mapping[str, NDArray[Any]], classes: int) -> CountedClassifier:
        """What ``CountedClassifier.arrays`` gave.

        Raises:
            RecordError, KeyError: an array is missing, damaged, or does not fit.
        """
