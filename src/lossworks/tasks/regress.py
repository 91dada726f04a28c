"""A number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import data, losses, metrics
from ..core.errors import DataError
from .base import Kind
from .labelled import LabelTask, Link

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..data import Corpus
    from ..losses import Loss
    from ..metrics import Evaluation

_LARGEST = 1e50  # of a target: squared errors, squared again in intervals, are then still finite


@dataclass(frozen=True, slots=True)
class Regress(LabelTask):
    """A number; networks predict (number - ``center``) / ``spread``."""

    kind: ClassVar[Kind] = "regress"
    default_loss: ClassVar[str] = "mse"
    taught_losses: ClassVar[tuple[str, str]] = "0.5*mse+0.5*imitation", "imitation"
    held_out_metric: ClassVar[str] = "mse"

    @classmethod
    def of(cls, corpus: Corpus, train: NDArray[np.bool_]) -> Regress:
        values = data.numbers(corpus)
        row = int(np.abs(values).argmax())
        if abs(values[row]) > _LARGEST:
            raise DataError(f"{corpus.place(row)}: the target {values[row]} is too large to work with. Give it in a larger unit.")
        values = values[train]
        return cls((), float(values.mean()), float(values.std()) or 1.0)

    def targets(self, corpus: Corpus) -> NDArray[Any]:
        return data.numbers(corpus)

    @property
    def link(self) -> Link:
        return "identity"

    @property
    def outputs(self) -> int:
        return 1

    @property
    def has_probabilities(self) -> bool:
        return False

    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        if not isinstance(loss, losses.RegressionLoss):
            return "it is not between numbers"
        return "it needs a teacher of each number. Name one with --teach" if loss.needs and not taught else ""

    def of_network(self, target: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(((target - self.center) / self.spread).astype(np.float32))

    def readable(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self.center + self.spread * outputs[:, 0].astype(np.float64))

    def by_outputs(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.spread * gradient[:, None]

    def as_outputs(self, scores: Float[Tensor, "N *labels"]) -> Float[Tensor, "N outputs"]:
        return scores[:, None]  # and losses are in the data's own units

    def losses(
        self, loss: Loss, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"] | None = None
    ) -> Float[Tensor, "N"]:
        assert isinstance(loss, losses.RegressionLoss)
        return loss.errors(outputs[:, 0], target.to(outputs.dtype), None if teacher is None else teacher[:, 0])

    def divergence(
        self, outputs: Float[Tensor, "N outputs"], target: Tensor, teacher: Float[Tensor, "N labels"]
    ) -> Float[Tensor, "N"]:
        return self.proper_score(outputs, teacher[:, 0])

    def sampled_losses(self, outputs: Float[Tensor, "N outputs"]) -> Float[Tensor, "N"]:
        import torch

        drawn = outputs.detach() + torch.randn_like(outputs)
        return (outputs - drawn).square()[:, 0] / 2

    def proper_score(self, outputs: Float[Tensor, "N outputs"], target: Tensor) -> Float[Tensor, "N"]:
        return (outputs[:, 0] - target).double().square() * self.spread**2  # large targets leave what float32 can hold

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return logits

    def decide(self, answers: NDArray[Any], thresholds: Sequence[float] | None) -> list[Any]:
        return [float(number) for number in answers]

    def _evaluation(
        self, scores: NDArray[Any], target: NDArray[Any], temperature: float, cuts: Sequence[float] | None, rows: dict[str, Any]
    ) -> Evaluation:
        return metrics.regress(scores, target, **rows)

    def counts(self, target: NDArray[Any]) -> list[int] | None:
        return None

    def from_counts(self, counts: list[int] | None, rows: int) -> NDArray[Any]:
        return np.array([self.center])

    def name_of(self, target: Any) -> Any:
        return float(target)

    @property
    def answer_size(self) -> str:
        return "error"
