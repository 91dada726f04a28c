"""Focal loss: what is already learned weighs less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from ..core.errors import UsageError
from .base import IMPOSSIBLE, CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("focal", source="Lin et al. 2017, arXiv:1708.02002, eq. 4 and 5")
@dataclass(frozen=True, slots=True, kw_only=True)
class Focal(CategoricalLoss):
    """-w_y (1 - p_y)^gamma log p_y: cross-entropy in which what is already learned weighs less.

    Domain: gamma >= 0; class weights (the paper's alpha) >= 0, one a class, or none for all equal.
    Limit: gamma = 0 is cross-entropy.
    Gradient into z: that of cross-entropy times (1 - p)^gamma - gamma p (1 - p)^(gamma-1) log p.
    Over binary scores this is the binary focal loss; the paper's alpha is then class_weights (1 - alpha, alpha).
    """

    gamma: float = 2.0
    class_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        domains.nonnegative(self, "gamma")
        if any(not 0 <= weight < float("inf") for weight in self.class_weights):
            raise UsageError(f"class_weights are {self.class_weights}; wanted finite numbers, none below 0.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        miss = (-scores.logp.expm1()).clamp_min(1e-12)  # keeps the gradient finite when gamma < 1
        logp = scores.logp
        if self.class_weights:
            logp = scores.weighed_logp(scores.of_classes(self.class_weights, "class_weights"))
        return -focused(miss**self.gamma, logp)


def focused(factor: Tensor, logp: Tensor) -> Tensor:
    """Their product; where a target is impossible, -inf that gives ``factor`` no gradient: 0 ∞ would be nan in all weights."""
    return (factor * logp.clamp_min(IMPOSSIBLE)).where(logp > IMPOSSIBLE, logp)
