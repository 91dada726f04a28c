"""Sources: whatever answers for the same outcomes as a model, or says nothing.

A source of labels answers texts with logits of the labels. A row of NaN is silence: then a pool goes by the others alone.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnknownName, UsageError
from ..inference import Predictor, load_predictor
from ..tasks import LabelTask


class LabelSource(ABC):
    """Knowledge of what labels texts have. ``kind`` is what its spec begins with: ``lexicon:FILE``."""

    kind: ClassVar[str]

    @classmethod
    def open(cls, where: str, task: LabelTask) -> Self:
        """The source that the rest of a spec, such as a file's name, says, for the labels of a task.

        Raises:
            UsageError, DataError, RecordError: there is none, or it is of other labels; says what to do.
        """
        raise UsageError(f"{cls.kind} sources are not opened by name.")

    @abstractmethod
    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[N, labels], in the order of the task's labels: of classes log-probabilities but for a constant of each row, of label
        sets the log-odds of each label. Where the source has nothing to say of a text, its whole row is NaN.
        """

    def changed(self, change: Callable[[Predictor], Predictor]) -> LabelSource:
        """Itself, with what predictors it has changed."""
        return self

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

    def changed(self, change: Callable[[Predictor], Predictor]) -> RunSource:
        return RunSource(self.predictor.changed(change))

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

    @classmethod
    def open(cls, where: str, task: LabelTask) -> UniformSource:
        if where:
            raise UsageError(f"uniform takes nothing, got {where!r}.")
        return cls(len(task.labels))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.zeros((len(texts), self.labels))

    def save(self, folder: Path) -> None:
        """It knows nothing but how many labels there are, which the task says."""

    @classmethod
    def load(cls, folder: Path, task: LabelTask) -> UniformSource:
        return cls(len(task.labels))


_MODULES: tuple[str, ...] = ("lexicon", "votes")
"""Modules of this package with further kinds."""


def kinds() -> dict[str, type[LabelSource]]:
    """The kinds of sources of labels, by what their specs begin with."""
    for module in _MODULES:
        importlib.import_module(f"{__package__}.{module}")
    return {kind.kind: kind for kind in LabelSource.__subclasses__()}


_FITTED = {
    "vectors": "lossworks fit DATA --vectors FILE --out RUN",
    "hf": "lossworks fit DATA --model hf:PATH,frozen --out RUN",
}
"""How what is no source by itself becomes one."""
_GRAPH = (
    "a knowledge graph answers with its entities, and not with labels. Fit it, lossworks fit FILE --task graph --out RUN, write "
    "the vectors of its entities to a file, lossworks.load('RUN').vectors, and give vectors:FILE."
)


def is_fitted(spec: str) -> bool:
    """Whether the source is fitted to labels first: vectors:FILE, or hf:PATH,frozen."""
    return spec.startswith("vectors:") or (spec.startswith("hf:") and spec.endswith(",frozen"))


def fitted_by(spec: str) -> str:
    """The command that does so, by itself."""
    kind, _, where = spec.partition(":")
    return _FITTED[kind].replace("FILE" if kind == "vectors" else "PATH,frozen", where) + ", and give the run"


def kind_of(name: str) -> type[LabelSource]:
    """The kind of that name.

    Raises:
        UnknownName: there is none. UsageError: it is fitted first.
    """
    known = kinds()
    if name == "graph":
        raise UsageError(_GRAPH)
    if name in _FITTED:
        raise UsageError(f"{name} is fitted to labels before it answers with them: {_FITTED[name]}, and give the run.")
    if name not in known:
        raise UnknownName("source of labels", name, known)
    return known[name]
