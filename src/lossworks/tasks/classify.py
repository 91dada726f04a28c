"""One of several classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from .. import data, losses, metrics, scores
from ..core.errors import UsageError
from ..metrics.probabilities import softmax
from .base import Kind
from .labelled import LabelTask, Link
from .misfits import misfit_of_one_class
from .unseen import refuse_unseen

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..data import Corpus
    from ..losses import Loss
    from ..metrics import Evaluation
    from ..scores import Dense


@dataclass(frozen=True, slots=True)
class Classify(LabelTask):
    """One of the classes ``labels``; two of them need one output, the log-odds of the second."""

    kind: ClassVar[Kind] = "classify"
    right_metric: ClassVar[str | None] = "accuracy"

    @staticmethod
    def names_in(corpus: Corpus) -> Iterable[str]:
        return data.class_names(corpus)

    @classmethod
    def of(cls, corpus: Corpus, train: NDArray[np.bool_]) -> Classify:
        names = data.class_names(corpus)
        data.check_classes(names, corpus.source)
        return cls(cls.ordered(names, corpus), label_type=corpus.label_type)

    def targets(self, corpus: Corpus) -> NDArray[Any]:
        number, names = {label: at for at, label in enumerate(self.labels)}, data.class_names(corpus)
        refuse_unseen(corpus, self.labels, [(name,) for name in names])
        return np.fromiter(map(number.__getitem__, names), np.int64, len(names))

    @property
    def link(self) -> Link:
        return "sigmoid" if self.is_binary else "softmax"

    @property
    def groups(self) -> int:
        return len(self.labels)

    @property
    def described(self) -> str:
        return f"the task classify with {len(self.labels)} classes"

    @property
    def outputs(self) -> int:
        return 1 if self.is_binary else len(self.labels)

    @property
    def is_binary(self) -> bool:
        return len(self.labels) == 2

    @property
    def cuts(self) -> int:
        return 1 if self.is_binary else 0

    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        return misfit_of_one_class(loss, two=self.is_binary, taught=taught)

    def readable(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([np.zeros_like(outputs), outputs], 1) if self.is_binary else outputs

    def by_outputs(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        return gradient[:, 1:] if self.is_binary else gradient

    def as_outputs(self, scores: Float[Tensor, "N *labels"]) -> Float[Tensor, "N outputs"]:
        return scores[:, 1:] - scores[:, :1] if self.is_binary else scores

    def losses(
        self, loss: Loss, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"] | None = None
    ) -> Float[Tensor, "N"]:
        assert isinstance(loss, losses.CategoricalLoss)
        found = self._scores(outputs, target)
        found.teacher = None if teacher is None else scores.dense(teacher, target)
        return loss(found)

    def whole_logits(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N labels"]:
        import torch

        own = outputs.detach()
        return torch.cat([torch.zeros_like(own), own], 1) if self.is_binary else own

    def sampled_losses(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N"]:
        if self.is_binary:
            drawn = outputs.detach().sigmoid().bernoulli().long()[:, 0]
        else:
            drawn = outputs.detach().softmax(-1).multinomial(1)[:, 0]
        return -self._scores(outputs, drawn).logp

    def proper_score(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
        return -self._scores(outputs, target).logp

    def correct(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"] | None:
        return (self._scores(outputs, target).argmax == target).double()

    def correct_of_scores(self, scores: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64] | None:
        return np.asarray(scores.argmax(1) == target, np.float64)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return softmax(logits)

    def decide(self, answers: NDArray[Any], thresholds: Sequence[float] | None) -> list[Any]:
        if self.is_binary and thresholds:
            return [self.labels[int(row[1] >= thresholds[0])] for row in answers]
        return [self.labels[best] for best in answers.argmax(1)]

    def decide_at(self, answers: NDArray[Any], thresholds: Sequence[float] | None, least: Mapping[str, float]) -> list[Any]:
        if not least:
            return self.decide(answers, thresholds)
        cuts = np.array([least.get(label, np.nan) for label in self.labels])
        reached = np.where(answers >= cuts, answers, -1.0)  # nothing reaches nan
        others = np.where(np.isnan(cuts), answers, -1.0)
        chosen = np.where(reached.max(1, keepdims=True) >= 0, reached, others)
        best, most = chosen.argmax(1), chosen.max(1)
        return [self.labels[at] if chance >= 0 else None for at, chance in zip(best, most, strict=True)]

    def thresholds(
        self, probability: NDArray[np.float64], target: NDArray[Any], weight: NDArray[Any] | None, *, balanced: bool
    ) -> tuple[float, ...] | None:
        if not self.is_binary:
            return None
        aim: Literal["macro_f1", "accuracy"] = "macro_f1" if balanced else "accuracy"
        return tuple(metrics.tune_thresholds(probability[:, 1], target, weight, metric=aim, standard_errors=3))

    def by_threshold(
        self, scores: NDArray[Any], target: NDArray[Any], *, temperature: float = 1.0, **rows: Any
    ) -> dict[str, Any] | None:
        return metrics.by_threshold(scores, target, self.labels, temperature=temperature, **rows)

    def _evaluation(
        self, scores: NDArray[Any], target: NDArray[Any], temperature: float, cuts: Sequence[float] | None, rows: dict[str, Any]
    ) -> Evaluation:
        return metrics.classify(scores, target, temperature=temperature, threshold=cuts[0] if cuts else None, **rows)

    def counts(self, target: NDArray[Any]) -> list[int] | None:
        return [int(count) for count in np.bincount(target, minlength=len(self.labels))]

    def from_counts(self, counts: list[int] | None, rows: int) -> NDArray[Any]:
        return np.repeat(np.arange(len(self.labels)), counts or [])

    def name_of(self, target: Any) -> Any:
        return self.labels[int(target)]

    def class_factors(self, given: Any, target: NDArray[Any], train: NDArray[np.bool_]) -> NDArray[np.float32]:
        if given == "balanced":
            counts = np.bincount(target[train], minlength=len(self.labels))
            return np.asarray((counts.sum() / (len(counts) * np.maximum(counts, 1)))[target], np.float32)
        pairs = parse_class_weight(given, self.labels)
        if unknown := sorted(set(pairs) - set(self.labels)):
            raise UsageError(f"--class-weight names {unknown[0]!r}, which is no label. Labels: {', '.join(self.labels)}.")
        return np.asarray(np.array([pairs.get(label, 1.0) for label in self.labels])[target], np.float32)

    def _scores(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Dense:
        return scores.binary(outputs[:, 0], target) if self.is_binary else scores.dense(outputs, target)


def parse_class_weight(given: Any, labels: Sequence[str] = ()) -> dict[str, float]:
    """A factor for some labels: a mapping, a JSON object as text, or "spam=5,ham=1".

    Args:
        given: what a user gave. labels: those there are, which may hold commas and equals signs; empty: not known yet.

    Raises:
        UsageError: it is none of these, or a factor is not a finite number of 0 or more.
    """
    try:
        pairs = json.loads(given) if isinstance(given, str) and given.lstrip().startswith("{") else given
        if isinstance(pairs, str):
            pairs = dict(_pairs(pairs, labels))
        if not isinstance(pairs, Mapping):
            raise TypeError
        factors = {data.named(label): float(factor) for label, factor in pairs.items()}
    except (TypeError, ValueError):
        raise UsageError(
            f"--class-weight is {given!r}; wanted 'balanced', label=number,label=number, or {{\"label\": number}}."
        ) from None
    if not all(np.isfinite(factor) and factor >= 0 for factor in factors.values()):
        raise UsageError(f"--class-weight is {given!r}; wanted finite weights of 0 or more.")
    return factors


def _pairs(spelled: str, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each label and its factor: a comma ends a pair unless it may stand in a label, or does."""
    pair = ""
    for part in spelled.split(","):
        pair += "," * bool(pair) + part
        label, equals, factor = pair.rpartition("=")
        if equals and (label in labels or not labels):
            yield label, factor
            pair = ""
    if pair:
        label, _, factor = pair.rpartition("=")
        yield label, factor
