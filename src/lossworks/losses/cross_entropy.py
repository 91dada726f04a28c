"""Cross-entropy, with class weights and label smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from ..core.errors import UsageError
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("cross_entropy", source="Good 1952, JRSS B 14:107; smoothing: Szegedy et al. 2016, arXiv:1512.00567, sec. 7")
@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEntropy(CategoricalLoss):
    """-Σ_v q_v w_v log p_v, with q the target smoothed: 1 - ε + ε/V on the target, ε/V elsewhere.

    Domain: 0 <= label_smoothing <= 1; class weights >= 0, one a class, or none for all equal.
    Limit: label_smoothing = 0 and no weights is -log p_y.
    Gradient into z, without weights: p - q, so it is bounded, and zero only where the model says q.
    Over binary scores this is binary cross-entropy.
    """

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        domains.fraction(self, "label_smoothing")
        if any(not 0 <= weight < float("inf") for weight in self.class_weights):
            raise UsageError(f"class_weights are {self.class_weights}; wanted finite numbers, none below 0.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        hard, smooth = scores.logp, None
        if self.class_weights:
            weight = scores.of_classes(self.class_weights, "class_weights")
            hard = scores.weighed_logp(weight)
            smooth = scores.expected_logp(weight / scores.classes) if self.label_smoothing else None
        elif self.label_smoothing:
            smooth = scores.mean_logp
        if smooth is None or self.label_smoothing == 1:
            return -hard if smooth is None else -smooth
        return -(1 - self.label_smoothing) * hard - self.label_smoothing * smooth
