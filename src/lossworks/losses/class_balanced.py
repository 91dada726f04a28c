"""Class-balanced loss: rare classes weigh more, but a class's further examples count less and less."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from ..core.errors import UsageError
from .base import CategoricalLoss, losses
from .counts import check, known
from .focal import Focal

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from ..scores import Scores


@losses.add("class_balanced", source="Cui et al. 2019, arXiv:1901.05555")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBalanced(CategoricalLoss):
    """-w_y (1 - p_y)^gamma log p_y with w ∝ (1 - beta) / (1 - beta^counts), of mean 1 over the classes.

    (1 - beta^n) / (1 - beta) is the effective number of n examples, of which each overlaps with those before it.
    Domain: counts > 0, one a class, or () to be filled in from the training data; 0 <= beta < 1; gamma >= 0.
    Limit: beta = 0 weighs all classes the same; beta → 1 by 1 / counts. gamma = 0 is cross-entropy so weighted, more is focal.
    """

    counts: tuple[float, ...] = ()
    beta: float = 0.999
    gamma: float = 0.0

    def __post_init__(self) -> None:
        check(self.counts)
        if not 0 <= self.beta < 1:
            raise UsageError(f"beta is {self.beta}; wanted at least 0 and less than 1.")
        domains.nonnegative(self, "gamma")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        weight = self.class_weights(scores.of_classes(known(self.counts), "counts"))
        return Focal(gamma=self.gamma).values(scores) * scores.at_target(weight)

    def class_weights(self, counts: Float[Tensor, "V"] | Int[Tensor, "V"]) -> Float[Tensor, "V"]:
        """What each class weighs, 1 in the mean."""
        log_beta = math.log(self.beta) if self.beta else -math.inf
        scarce = -1 / (counts * log_beta).expm1()  # 1 - beta^n, which cancels near beta = 1
        return scarce / scarce.mean()
