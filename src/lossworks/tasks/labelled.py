"""What a task of labels is: the targets beside the texts, how a loss meets them, and how answers are made, cut and judged."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..core.errors import UsageError
from ..data.labels import original
from .base import Task

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..data import Corpus
    from ..losses import Loss
    from ..metrics import Evaluation

Link = Literal["softmax", "sigmoid", "identity"]
"""How ``losses`` reads outputs: a row as the logits of one distribution, each by itself as the log-odds of 1, or as numbers."""


@dataclass(frozen=True, slots=True)
class LabelTask(Task):
    """A task whose targets stand beside the texts: classes, sets of labels, or numbers.

    labels: in the order of their numbers. center, spread: of numbers, the training mean and standard deviation; networks predict
    in units of those. label_type: the type that labels were given in, and are answered in: bool, int, float or str.
    """

    labels: tuple[str, ...] = ()
    center: float = 0.0
    spread: float = 1.0
    label_type: str = "str"

    @classmethod
    @abstractmethod
    def of(cls, corpus: Corpus, train: NDArray[np.bool_]) -> LabelTask:
        """The task of a corpus's labels, of which ``train`` [rows] are seen in training.

        Raises:
            DataError: there is nothing to learn, or a label does not fit; names its row.
        """

    @staticmethod
    def names_in(corpus: Corpus) -> Iterable[str]:
        """The labels that occur in a corpus; none of numbers."""
        return ()

    def grown(self, corpus: Corpus) -> Self:
        """The same, with the labels of a corpus that are not known yet after those that are."""
        new = self.ordered({*self.names_in(corpus)} - {*self.labels}, corpus)
        kind = self.label_type if not new or corpus.label_type == self.label_type else "str"
        return replace(self, labels=(*self.labels, *new), label_type=kind)

    @staticmethod
    def ordered(names: Iterable[str], corpus: Corpus) -> tuple[str, ...]:
        """Each of the corpus's labels once, numbers by their size and text by the alphabet."""
        return tuple(sorted(set(names), key=lambda name: original(name, corpus.label_type)))

    def original(self, answers: Sequence[Any]) -> list[Any]:
        """Labels, or tuples of them, as the type that labels were given in; numbers as they are."""
        if self.label_type == "str" or not self.labels:
            return list(answers)
        known: dict[Any, Any] = {None: None, **{name: original(name, self.label_type) for name in self.labels}}
        return [tuple(known[name] for name in answer) if isinstance(answer, tuple) else known[answer] for answer in answers]

    @abstractmethod
    def targets(self, corpus: Corpus) -> NDArray[Any]:
        """The corpus's labels as class numbers [N], label sets [N, labels] of 0 and 1, or numbers [N].

        Raises:
            DataError: a label that training had not seen, or one of the wrong kind; names its row.
        """

    @property
    def outputs(self) -> int:
        """How many outputs a network needs; two classes need one, the log-odds of the second."""
        return len(self.labels)

    @property
    @abstractmethod
    def link(self) -> Link:
        """How a network's outputs are read."""

    @property
    def positions(self) -> tuple[int, ...]:
        """The shape of a row's targets, and so of its losses before their mean is taken."""
        return ()

    @property
    def is_binary(self) -> bool:
        """Whether it is one class or the other."""
        return False

    @property
    def has_probabilities(self) -> bool:
        """Whether answers are probabilities of labels, rather than numbers."""
        return True

    @property
    def decisions(self) -> int:
        """How many answers a row's proper score is the sum over."""
        return 1

    @property
    def cuts(self) -> int:
        """How many thresholds turn probabilities into answers."""
        return 0

    def of_network(self, target: NDArray[Any]) -> NDArray[Any]:
        """Targets as a network's losses take them."""
        return target

    def readable(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """A network's outputs [N, outputs] as logits [N, labels], or as numbers [N] in the data's own units."""
        return outputs

    def by_outputs(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        """A gradient by what ``readable`` gives as one by the outputs [N, outputs] (the chain rule)."""
        return gradient

    def as_outputs(self, scores: Float[Tensor, "N *labels"]) -> Float[Tensor, "N outputs"]:
        """The outputs that ``losses`` takes, of logits [N, labels] or numbers [N]."""
        return scores

    @abstractmethod
    def losses(
        self, loss: Loss, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"] | None = None
    ) -> Float[Tensor, "N"]:
        """The loss of each example; of label sets, the mean over the labels. teacher: logits, or numbers [N, 1] in the network's
        units, for losses that need one.
        """

    def divergence(
        self, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"]
    ) -> Float[Tensor, "N"]:
        """How far each example's answer is from the teacher's, in nats; of numbers, squared, in the data's own units."""
        from ..losses.forward_kl import ForwardKL

        return self.losses(ForwardKL(), outputs, target, teacher)

    def whole_logits(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N labels"]:
        """A network's outputs as a teacher's are given, without gradient."""
        return outputs.detach()

    @abstractmethod
    def sampled_losses(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N"]:
        """-log p of a target that the outputs themselves draw at random for each example, numbers with standard deviation 1.

        The mean of its gradients' squares is the Gauss-Newton curvature (Liu et al. 2023, arXiv:2305.14342, section 2.3).
        """

    @abstractmethod
    def proper_score(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
        """What decides between epochs whatever the loss is: -log p of the target in nats, or the squared error in its units."""

    def correct(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"] | None:
        """1 where the answer is right, of label sets the share of labels that are; None where there is no right or wrong."""
        return None

    def correct_of_scores(self, scores: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64] | None:
        """``correct``, of scores [N, labels] as ``readable`` gives them."""
        return None

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
    def counts(self, target: NDArray[Any]) -> list[int] | None:
        """Rows of each label; None where there are no labels."""

    @abstractmethod
    def from_counts(self, counts: list[int] | None, rows: int) -> NDArray[Any]:
        """Targets of ``rows`` rows with these counts, from which the baseline learns what it learned from the training rows."""

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

    def class_factors(self, given: Any, target: NDArray[Any], train: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What each row's training loss is multiplied by for its class.

        Raises:
            UsageError: the task has no classes, or ``given`` does not fit them.
        """
        raise UsageError(
            f"--class-weight is for one class a text; the task is {self.kind}. Weigh rows with --weight COLUMN instead."
        )
