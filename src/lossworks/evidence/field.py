"""What a comparison asks of its data, whether arms tell labels apart or are models of language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..data import Corpus
from ..data.duplicates import Duplicates
from ..engine import Callbacks
from .outcome import Outcome


class AnyField(Protocol):
    """The data, split by one seed; ``settings`` are of the kind that its arms have."""

    corpora: list[Corpus]
    stop: Event

    @property
    def kind(self) -> str:
        """Of the task: classify, multilabel, regress, lm."""

    @property
    def rows_are(self) -> str:
        """What the rows of figures are."""

    def describe(self) -> dict[str, Any]:
        """What the record says of the data."""

    def duplicates(self) -> Duplicates:
        """Held-out texts that stand among the training texts."""

    def resolve(self, shared: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
        """The settings of an arm with every choice made."""

    def check(self, settings: Any) -> None:
        """Raise UsageError where an arm does not fit the data."""

    def metric(self, asked: str | None, arms: Sequence[Any]) -> str:
        """The metric of the verdicts. Raises UsageError where what is asked for does not fit."""

    def ready(self, settings: Any) -> Any:
        """Read the texts as an arm does, once."""

    def train(self, settings: Any, metric: str | None) -> Outcome:
        """Train one arm to the end of its schedule; with a ``metric``, measure the test rows too."""

    def loop(self, settings: Any, control: Callbacks) -> Any:
        """A training of an arm, not begun: what has ``run()`` and ``most_steps``."""

    def lasts(self, loop: Any, settings: Any) -> tuple[int, int]:
        """Steps of a whole training, and scores of the validation rows on the way."""

    def measure(self, loop: Any, settings: Any, tested: bool) -> Any:
        """The figures at a training's end."""

    def prior(self, metric: str) -> NDArray[np.float64]:
        """The metric of each test row for the answer that never reads the text."""

    def behind(self, outcomes: list[list[Outcome]], measured: Sequence[Any], metric: str, arms: Sequence[Any]) -> dict[str, Any]:
        """What stands behind the figures: ``slices`` of the test rows, and texts to read (``reading``)."""
