"""A set of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import data, losses, metrics, scores
from ..metrics.probabilities import sigmoid
from .base import Kind
from .labelled import LabelTask, Link
from .misfits import misfit_of_outcomes
from .unseen import refuse_unseen

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..data import Corpus
    from ..losses import Loss
    from ..metrics import Evaluation


@dataclass(frozen=True, slots=True)
class Multilabel(LabelTask):
    """Any of the ``labels``, each yes or no by itself."""

    kind: ClassVar[Kind] = "multilabel"
    right_metric: ClassVar[str | None] = "subset_accuracy"

    @staticmethod
    def names_in(corpus: Corpus) -> Iterable[str]:
        return chain.from_iterable(set(data.label_sets(corpus)))

    @classmethod
    def of(cls, corpus: Corpus, train: NDArray[np.bool_]) -> Multilabel:
        return cls(cls.ordered(cls.names_in(corpus), corpus), label_type=corpus.label_type)

    def targets(self, corpus: Corpus) -> NDArray[Any]:
        number, sets = {label: at for at, label in enumerate(self.labels)}, data.label_sets(corpus)
        refuse_unseen(corpus, self.labels, sets)
        target = np.zeros((len(sets), len(self.labels)), np.float32)
        for row, labels in enumerate(sets):
            target[row, [number[label] for label in labels]] = 1
        return target

    @property
    def link(self) -> Link:
        return "sigmoid"

    @property
    def positions(self) -> tuple[int, ...]:
        return (len(self.labels),)

    @property
    def decisions(self) -> int:
        return len(self.labels)

    @property
    def cuts(self) -> int:
        return len(self.labels)

    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        if reason := misfit_of_outcomes(loss, taught=taught):
            return reason
        asks = loss.with_counts((1.0, 1.0)) != loss  # each label has counts of its own: there is no one pair of them
        return "it asks for one count a class" if asks else ""

    def of_network(self, target: NDArray[Any]) -> NDArray[Any]:
        return target.astype(np.float32)

    def losses(
        self, loss: Loss, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"] | None = None
    ) -> Float[Tensor, "N"]:
        assert isinstance(loss, losses.CategoricalLoss)
        found = scores.binary(outputs, target)
        found.teacher = None if teacher is None else scores.binary(teacher, target)
        return loss(found).mean(-1)

    def sampled_losses(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N"]:
        return -scores.binary(outputs, outputs.detach().sigmoid().bernoulli().long()).logp.sum(-1)

    def proper_score(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
        return -scores.binary(outputs, target).logp.sum(-1)

    def correct(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"] | None:
        return (scores.binary(outputs, target).argmax == target).double().mean(-1)

    def correct_of_scores(self, scores: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64] | None:
        return np.asarray(((scores > 0) == target.astype(bool)).mean(1))

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return sigmoid(logits)

    def decide(self, answers: NDArray[Any], thresholds: Sequence[float] | None) -> list[Any]:
        yes = answers >= np.array(thresholds or (0.5,) * len(self.labels))
        return [tuple(self.labels[label] for label in np.flatnonzero(row)) for row in yes]

    def decide_at(self, answers: NDArray[Any], thresholds: Sequence[float] | None, least: Mapping[str, float]) -> list[Any]:
        cuts = thresholds or (0.5,) * len(self.labels)
        return self.decide(answers, [least.get(label, cut) for label, cut in zip(self.labels, cuts, strict=True)])

    def thresholds(
        self, probability: NDArray[np.float64], target: NDArray[Any], weight: NDArray[Any] | None, *, balanced: bool
    ) -> tuple[float, ...] | None:
        one = self.one_threshold(probability, target, weight)
        return tuple(metrics.tune_thresholds(probability, target, weight, standard_errors=3, usual=one))

    def one_threshold(self, probability: NDArray[np.float64], target: NDArray[Any], weight: NDArray[Any] | None) -> float:
        weights = None if weight is None else np.tile(weight, len(self.labels))
        return metrics.tune_thresholds(probability.T.reshape(-1), target.T.reshape(-1), weights, standard_errors=3)[0]

    def _evaluation(
        self, scores: NDArray[Any], target: NDArray[Any], temperature: float, cuts: Sequence[float] | None, rows: dict[str, Any]
    ) -> Evaluation:
        return metrics.multilabel(scores, target, temperature=temperature, thresholds=cuts, **rows)

    def counts(self, target: NDArray[Any]) -> list[int] | None:
        return [int(count) for count in target.sum(0)]

    def from_counts(self, counts: list[int] | None, rows: int) -> NDArray[Any]:
        return np.arange(rows)[:, None] < np.array(counts)

    def name_of(self, target: Any) -> Any:
        return tuple(self.labels[label] for label in np.flatnonzero(target))
