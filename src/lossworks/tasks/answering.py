"""How answers of a task of labels are made from scores, cut at thresholds, and judged, beside the constant baseline."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core.errors import UsageError
from .base import Task

if TYPE_CHECKING:
    from ..metrics import Evaluation


@dataclass(frozen=True, slots=True)
class AnsweringTask(Task):
    """A task whose answers are labels by their probabilities, or numbers. ``labels``: in the order of their numbers."""

    labels: tuple[str, ...] = ()

    @property
    def has_probabilities(self) -> bool:
        """Whether answers are probabilities of labels, rather than numbers."""
        return True

    @property
    def is_binary(self) -> bool:
        """Whether it is one class or the other."""
        return False

    @property
    def decisions(self) -> int:
        """How many answers a row's proper score is the sum over."""
        return 1

    @property
    def cuts(self) -> int:
        """How many thresholds turn probabilities into answers."""
        return 0

    @abstractmethod
    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits [N, labels] as probabilities: of the classes (rows sum to 1), or of each label by itself."""

    @abstractmethod
    def decide(self, answers: NDArray[Any], thresholds: Sequence[float] | None) -> list[Any]:
        """What to answer for probabilities [N, labels], or for numbers [N]."""

    def decide_at(self, answers: NDArray[Any], thresholds: Sequence[float] | None, least: Mapping[str, float]) -> list[Any]:
        """The same with a ``least`` probability for some labels, in the place of their ``thresholds``.

        A set of labels holds those that reach it. Of classes the most probable that reaches its own is answered; where none does,
        the most probable of those that have none; None where every class has one.

        Raises:
            UsageError: numbers have no probability.
        """
        raise UsageError(f"--threshold is a probability, and the answers of the task {self.kind} have none. Leave it out.")

    def thresholds(
        self, probability: NDArray[np.float64], target: NDArray[Any], weight: NDArray[Any] | None, *, balanced: bool
    ) -> tuple[float, ...] | None:
        """Where to cut probabilities, from rows that training has not seen; None where nothing is cut.

        Args:
            probability: calibrated, [N, labels].
            target, weight: of the rows; a weight of None is 1.
            balanced: for the macro-F1 rather than the accuracy.
        """
        return None

    def one_threshold(self, probability: NDArray[np.float64], target: NDArray[Any], weight: NDArray[Any] | None) -> float | None:
        """One for all labels, tuned as those of each are; None where there are no sets of labels."""
        return None

    def by_threshold(
        self, scores: NDArray[Any], target: NDArray[Any], *, temperature: float = 1.0, **rows: Any
    ) -> dict[str, Any] | None:
        """What each threshold of a probability does; ``rows``: weights and groups, and what ``evaluate`` has ``read`` of each.
        None where none can be chosen.
        """
        return None

    def evaluate(
        self,
        scores: NDArray[Any],
        target: NDArray[Any],
        weight: NDArray[Any] | None = None,
        *,
        temperature: float = 1.0,
        thresholds: Sequence[float] | None = None,
        groups: NDArray[Any] | None = None,
    ) -> Evaluation:
        """The metrics of scores (logits before calibration, or numbers) against targets; ``groups``: rows that go together."""
        return self._evaluation(scores, target, temperature, thresholds, {"weights": weight, "groups": groups})

    @abstractmethod
    def _evaluation(
        self, scores: NDArray[Any], target: NDArray[Any], temperature: float, cuts: Sequence[float] | None, rows: dict[str, Any]
    ) -> Evaluation:
        """The same; ``rows``: weights and groups."""

    def by_row(
        self,
        scores: NDArray[Any],
        target: NDArray[Any],
        weight: NDArray[Any] | None = None,
        *,
        temperature: float = 1.0,
        thresholds: Sequence[float] | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Every metric of each row; arguments as of ``evaluate``."""
        return metrics.by_row(self.kind, scores, target, weights=weight, temperature=temperature, thresholds=thresholds)

    def constant_scores(self, train: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
        """The constant baseline's scores of ``target``'s rows: the same for each, from the training targets."""
        return metrics.constant_scores(self.kind, train, target, len(self.labels))

    def baseline(self, train: NDArray[Any], target: NDArray[Any], **rows: Any) -> dict[str, Any]:
        """The constant baseline's name and metrics; ``rows``: weights and groups of those of ``target``."""
        return metrics.baseline(self.kind, train, target, labels=self.labels, **rows)  # type: ignore[arg-type]

    @abstractmethod
    def name_of(self, target: Any) -> Any:
        """A target as people say it: a label, a tuple of labels, or a number."""

    @property
    def answer_size(self) -> str:
        """What says how far off a mistake is."""
        return "probability"

    def mistakes(
        self,
        answers: Callable[[NDArray[np.int64]], NDArray[Any]],
        evaluation: Evaluation,
        target: NDArray[Any],
        thresholds: Sequence[float] | None,
    ) -> tuple[NDArray[np.int64], list[dict[str, Any]]]:
        """The most confident mistakes: their rows, and what was true and what was answered in each.

        Args:
            answers: the probabilities [rows, labels] of some rows, or numbers [rows].
            evaluation: of the same rows. thresholds: as of ``decide``.
        """
        rows = metrics.mistakes(evaluation, target)
        answered = self.decide(answers(rows), thresholds)
        found = zip((self.name_of(target[row]) for row in rows), answered, evaluation.confidence[rows].tolist(), strict=True)
        return rows, [{"label": label, "predicted": answer, self.answer_size: size} for label, answer, size in found]
