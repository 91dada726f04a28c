"""What arms are compared on: data of one task, split once and read once by each reading of text, and a training of an arm.

A training differs by its settings and its seed alone: same seed, same first weights where the shapes allow, same order of rows,
whichever the arm.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core.errors import Diverged
from ..data import TEST, VALID, Corpus, Languages
from ..data.duplicates import Duplicates
from ..engine import Callbacks
from ..tasks import Task
from ..training import Settings
from ..training.fitting import memory_named
from ..training.teaching import Teacher
from .each import EachSettings
from .outcome import Outcome
from .trainings import Apart, Training
from .verdicts import Measured

Watch = Callable[[str, dict[str, Any]], None]
Reading = TypeVar("Reading")


@dataclass(frozen=True, slots=True)
class Scored:
    """What a trained arm shows.

    validation: its proper score on the validation part, by which trials are judged.
    rows: every metric of each test row; empty where the test part was not looked at.
    within: of each metric that is no mean over rows, as in ``Outcome``.
    answers, bins, f1, logp: as in ``Outcome``.
    """

    validation: float
    rows: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    answers: NDArray[np.float64] | None = None
    bins: list[tuple[float, float, int]] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
    logp: NDArray[np.float64] | None = None
    within: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(slots=True)
class Benchmark(ABC, Generic[Reading]):
    """The data of a comparison.

    corpora, fixed: as of ``fit_corpora``. common: what all arms have in common. scratch: a folder for temporary files.
    teachers: what opens each that an arm has, by its spec.
    """

    corpora: list[Corpus]
    fixed: list[int | None]
    common: Mapping[str, Any]
    scratch: Path
    watch: Watch = lambda event, fields: None
    stop: Event = field(default_factory=Event)
    teachers: Mapping[str, Callable[[], Teacher]] = field(default_factory=dict)
    _read: dict[Any, Reading] = field(default_factory=dict)

    @property
    @abstractmethod
    def task(self) -> Task:
        """What is to be predicted."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """What the rows of metrics are."""

    @property
    def texts(self) -> NDArray[Any] | None:
        """An id of each test row's text, for rows of one text are one example; None where all differ."""
        return None

    @property
    @abstractmethod
    def languages(self) -> Languages | None:
        """Of the test rows, where languages are told apart."""

    @abstractmethod
    def sizes(self, metric: str, settings: Settings) -> NDArray[np.float64]:
        """What of each test row the metric is a rate of, as an arm reads it: its weight, its tokens or its bytes."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the record says of the data."""

    @abstractmethod
    def duplicates(self) -> Duplicates:
        """Held-out texts that stand among the training texts."""

    @abstractmethod
    def resolve(self, own: Mapping[str, Any]) -> Settings:
        """The settings of an arm with every choice made, from what is common and what is its ``own``.

        Raises:
            UsageError: the choices do not go together.
        """

    @abstractmethod
    def check(self, settings: Settings) -> None:
        """Raise UsageError where an arm does not fit the data."""

    def metric(self, asked: str | None, arms: Sequence[Settings]) -> str:
        """The metric of the verdicts.

        Raises:
            UsageError: it is none of the task.
        """
        metric = asked or self.task.proper
        metrics.check_metric(self.task.kind, metric)
        return metric

    def read(self, settings: Settings) -> None:
        """Read the data as an arm does."""
        for one in self._each(settings) if isinstance(settings, EachSettings) else [settings]:
            self.ready(one)

    def untrained(self, settings: Settings) -> list[str]:
        """The languages that an arm of one model for each cannot train one for; it answers with a constant baseline."""
        each = self._each(settings) if isinstance(settings, EachSettings) else []
        return [str(one.language) for one in each if not self.can_train(one)]

    def _each(self, settings: EachSettings) -> list[EachSettings]:
        """Those of each language that has held-out rows."""
        names = {name for part in (VALID, TEST) for name in self.places(settings, part)}
        return [replace(settings, language=name) for name in sorted(names)]

    def ready(self, settings: Settings) -> Reading:
        """The data as an arm reads it, once for all arms that read alike."""
        key = self._key(settings)
        if key not in self._read:
            folder = self.scratch / str(len(self._read))
            folder.mkdir()
            self._read[key] = self._reading(settings, folder)
        return self._read[key]

    @abstractmethod
    def _key(self, settings: Settings) -> Any:
        """What decides how an arm reads the data."""

    @abstractmethod
    def _reading(self, settings: Settings, folder: Path) -> Reading: ...

    def training(self, settings: Settings, callbacks: Callbacks, parts: Sequence[int]) -> Training:
        """A training of an arm, to answer for some ``parts``."""
        if not isinstance(settings, EachSettings):
            return self._training(settings, callbacks, parts)
        silent = replace(callbacks, watch=lambda event, fields: None)  # what is told of one language is not of the arm

        def made(language: str, parts: Sequence[int]) -> Training:
            return self._training(replace(settings, language=language), silent, parts)

        return Apart({part: self.places(settings, part) for part in parts}, made)

    @abstractmethod
    def _training(self, settings: Settings, callbacks: Callbacks, parts: Sequence[int]) -> Training:
        """The same of one model, which has the language of its settings, if they have one."""

    @abstractmethod
    def places(self, settings: Settings, part: int) -> dict[str, NDArray[np.int64]]:
        """Where the answers of each language stand among those of a held-out part; languages are told apart."""

    @abstractmethod
    def can_train(self, settings: EachSettings) -> bool:
        """Whether there is something to be learned in the training rows of the settings' language."""

    @abstractmethod
    def scored(self, answers: Sequence[NDArray[Any]], settings: Settings) -> Scored:
        """What an arm's answers show: those of the validation part, and of the test part where it was looked at."""

    @abstractmethod
    def prior(self, metric: str) -> NDArray[np.float64]:
        """The metric of each test row for the constant baseline."""

    def prior_within(self, metric: str) -> NDArray[np.float64] | None:
        """The same of each language by itself, where the metric is no mean over rows."""
        return None

    @abstractmethod
    def diagnostics(
        self, outcomes: list[list[Outcome]], measured: Sequence[Measured], metric: str, arms: Sequence[Settings]
    ) -> dict[str, Any]:
        """What stands behind the metrics: ``slices`` of the test rows, and texts to read (``reading``)."""

    def counted(self, arms: Sequence[Measured], metric: str, settings: Sequence[Settings], unit: str) -> dict[str, Any]:
        """What counting alone reaches (``ngram``), where the arms are language models that are trained; else nothing."""
        return {}

    @abstractmethod
    def pooled(self, members: Sequence[Outcome], settings: Settings, metric: str) -> Outcome:
        """A mixture of trained arms whose ``logp`` was kept, with the weights that make the validation part most probable;
        settings: of the first.
        """

    def train(self, settings: Settings, metric: str | None, *, keep: bool = False) -> Outcome:
        """Train one arm to the end of its schedule; with a ``metric``, score the test part, else the validation part alone.
        keep: its ``logp``, for a pool.
        """
        curve: list[tuple[float, float, float]] = []
        started = time.monotonic()

        def note(event: str, fields: dict[str, Any]) -> None:
            if event == "valid":
                curve.append((fields["epoch"], time.monotonic() - started, fields[self.task.held_out_metric]))

        with memory_named(settings):
            parts = (VALID,) if metric is None else (VALID, TEST)
            training = self.training(settings, Callbacks(watch=note, stop=self.stop), parts)
            started = time.monotonic()
            try:
                seconds = training.run().seconds
            except Diverged as error:
                return Outcome(math.inf, None, {}, curve, time.monotonic() - started, training.size, str(error))
            found = self.scored(training.answers(), settings)
        whole = self._outcome(found, metric, curve, seconds, training.size)
        return whole if keep else replace(whole, logp=None)

    def _outcome(
        self, found: Scored, metric: str | None, curve: list[tuple[float, float, float]], seconds: float, size: int
    ) -> Outcome:
        """What is kept of a training that ended, or of a pool."""
        means = {name: float(values.mean()) for name, values in found.rows.items()}
        whole = Outcome(found.validation, found.rows.get(metric or ""), means, curve, seconds, size)
        if not all(map(math.isfinite, [found.validation, *means.values()])):
            return replace(whole, judged=math.inf, rows=None, metrics={}, note="the held-out scores are not finite")
        whole = replace(whole, within=found.within.get(metric or ""))
        return replace(whole, said=found.answers, bins=found.bins, f1=found.f1, logp=found.logp)
