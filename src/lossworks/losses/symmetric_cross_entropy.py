"""Symmetric cross-entropy: cross-entropy and its reverse, for labels that are sometimes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("symmetric_cross_entropy", source="Wang et al. 2019, arXiv:1908.06112")
@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricCrossEntropy(CategoricalLoss):
    """-alpha Σ y log p - beta Σ p log y, where log 0 is taken to be ``log_zero``.

    With one outcome as the target the reverse part is -log_zero (1 - p_y): bounded, and so robust to wrong labels.
    Domain: alpha, beta >= 0, not both 0; log_zero < 0.
    Limit: beta = 0 is alpha times cross-entropy.
    Gradient into z: that of cross-entropy times alpha - beta log_zero p.
    """

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0

    def __post_init__(self) -> None:
        if not (0 <= self.alpha < float("inf") and 0 <= self.beta < float("inf") and self.alpha + self.beta > 0):
            raise UsageError(f"alpha is {self.alpha}, beta {self.beta}; wanted finite numbers, none below 0 and not both 0.")
        if not -float("inf") < self.log_zero < 0:
            raise UsageError(f"log_zero is {self.log_zero}; wanted a finite number below 0.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        reverse = self.beta * self.log_zero * scores.logp.expm1()
        return reverse - self.alpha * scores.logp if self.alpha else reverse  # not 0 ∞
