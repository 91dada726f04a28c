"""Binary cross-entropy, with a weight for what is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores import Scores
from .base import BinaryLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add(
    "binary_cross_entropy", source="Cox 1958, JRSS B 20:215; the weight: King & Zeng 2001, Political Analysis 9:137, sec. 4.2"
)
@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryCrossEntropy(BinaryLoss):
    """-w log p where the label is, -log (1 - p) where it is not, with p the probability that it is.

    positive_weight: w, one number for all labels or one a label (the last axis of the positions). With w = (number that are
    not) / (number that are) both sides weigh the same; the probabilities then say what they would in balanced data.
    Domain: positive_weight > 0.  Limit: w = 1 is cross-entropy over two outcomes.
    Gradient into the logit: -w (1 - p) where the label is, p where it is not.
    """

    positive_weight: tuple[float, ...] | float = 1.0

    def __post_init__(self) -> None:
        given = self.positive_weight if isinstance(self.positive_weight, tuple) else (self.positive_weight,)
        if not given or any(not 0 < weight < float("inf") for weight in given):
            raise UsageError(f"positive_weight is {self.positive_weight}; wanted finite numbers, more than 0.")
        if len(given) == 1:  # so that "positive_weight=3" and 3.0 are the same loss
            object.__setattr__(self, "positive_weight", given[0])

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        surprise = -scores.logp
        weighed = surprise * self._weight(surprise)
        return torch.where(scores.target == 1, weighed, surprise)

    def _weight(self, beside: Float[Tensor, "*position"]) -> Tensor | float:
        if not isinstance(self.positive_weight, tuple):
            return self.positive_weight
        labels = beside.shape[-1] if beside.ndim else 1
        if len(self.positive_weight) != labels:
            raise UsageError(
                f"positive_weight: got {len(self.positive_weight)} values for {labels} labels. Give one, or one a label."
            )
        return beside.new_tensor(self.positive_weight)
