"""What a task of labels is: the targets beside the texts, and how a network's outputs and a loss meet them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data.labels import original
from .answering import AnsweringTask

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..data import Corpus
    from ..losses import Loss

Link = Literal["softmax", "sigmoid", "identity"]
"""How ``losses`` reads outputs: a row as the logits of one distribution, each by itself as the log-odds of 1, or as numbers."""


@dataclass(frozen=True, slots=True)
class LabelTask(AnsweringTask):
    """A task whose targets stand beside the texts: classes, sets of labels, or numbers.

    labels: in the order of their numbers. center, spread: of numbers, the training mean and standard deviation; networks predict
    in units of those. label_type: the type that labels were given in, and are answered in: bool, int, float or str.
    """

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
    def counts(self, target: NDArray[Any]) -> list[int] | None:
        """Rows of each label; None where there are no labels."""

    @abstractmethod
    def from_counts(self, counts: list[int] | None, rows: int) -> NDArray[Any]:
        """Targets of ``rows`` rows with these counts, from which the baseline learns what it learned from the training rows."""

    def class_factors(self, given: Any, target: NDArray[Any], train: NDArray[np.bool_]) -> NDArray[np.float32]:
        """What each row's training loss is multiplied by for its class.

        Raises:
            UsageError: the task has no classes, or ``given`` does not fit them.
        """
        raise UsageError(
            f"--class-weight is for one class a text; the task is {self.kind}. Weigh rows with --weight COLUMN instead."
        )
