"""A trained classifier or regression, from raw text to calibrated answers; the families' own are its subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.memory import rows_at_once
from ..models.base import ModelSpec, render
from ..models.counted import CountedSpec
from ..models.language import LanguageSpec
from ..record import write_json
from ..tasks import LabelTask

FORMAT = 2
"""Of config.json."""
CHUNK = 4096
"""Texts or rows worked on at once."""


@dataclass(slots=True)
class Predictor(ABC):
    """Raw text in, answers out. ``temperature`` divides the logits; ``thresholds`` cut probabilities into yes and no."""

    task: LabelTask
    spec: ModelSpec | CountedSpec | LanguageSpec
    temperature: float = field(default=1.0, kw_only=True)
    thresholds: tuple[float, ...] | None = field(default=None, kw_only=True)

    @abstractmethod
    def prepared(self, texts: Sequence[str]) -> Any:
        """Texts as the model reads them."""

    @abstractmethod
    def scores_of(self, prepared: Any) -> NDArray[Any]:
        """Logits [N, labels] before calibration, or predicted numbers [N], for texts that were prepared before."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write what the model has learned, its file or files."""

    @classmethod
    @abstractmethod
    def read(cls, folder: Path, task: LabelTask, spec: Any) -> Predictor:
        """The predictor with what ``write`` wrote.

        Raises:
            RecordError: a file is missing, damaged, or does not fit the task and the spec.
        """

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        """What is odd about blocks of texts to be answered, in words."""
        return []

    def to(self, device: str) -> Predictor:
        """Move what can be moved; text is always read on the CPU."""
        return self

    def changed(self, change: Callable[[Predictor], Predictor]) -> Predictor:
        """Itself changed; what is made of other predictors changes these."""
        return change(self)

    def predict(self, texts: Sequence[str]) -> list[Any]:
        """A label, a tuple of labels, or a number for each text."""
        answers = self.predict_proba if self.task.has_probabilities else self.scores
        size = rows_at_once(len(self.task.labels), CHUNK)
        return [answer for start in range(0, len(texts), size) for answer in self.decide(answers(texts[start : start + size]))]

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities [N, labels]: of the classes (rows sum to 1), or of each label on its own."""
        return self.probabilities(self.scores(texts))

    def scores(self, texts: Sequence[str], tell: Callable[[int], None] = lambda more: None) -> NDArray[Any]:
        """The same for raw texts; ``tell`` is told of how many more of them they are known."""
        found = []
        for start in range(0, max(len(texts), 1), CHUNK):
            chunk = texts[start : start + CHUNK]
            found.append(self.scores_of(self.prepared(chunk)))
            tell(len(chunk))
        return np.concatenate(found)

    def probabilities(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Logits [N, labels] as calibrated probabilities."""
        return self.task.probabilities(scores.astype(np.float64) / self.temperature)

    def decide(self, answer: NDArray[Any], least: Mapping[str, float] | None = None) -> list[Any]:
        """What to answer for probabilities [N, labels] (or numbers [N], which answer for themselves), in the labels' own type.
        ``least``: the probability that some labels must reach, as of ``LabelTask.decide_at``.
        """
        task, cuts = self.task, self.thresholds
        return task.original(task.decide(answer, cuts) if least is None else task.decide_at(answer, cuts, least))

    def save(self, folder: Path) -> None:
        """Write the model's files and ``config.json``, each in one step."""
        self.write(folder)
        self.save_config(folder)

    def save_config(self, folder: Path) -> None:
        """Write ``config.json`` alone."""
        write_json(
            folder / "config.json",
            {
                "format": FORMAT,
                "task": self.task.kind,
                "labels": self.task.labels,
                "label_type": self.task.label_type,
                "center": self.task.center,
                "spread": self.task.spread,
                "model": render(self.spec),
                "temperature": self.temperature,
                "thresholds": self.thresholds,
            },
        )
