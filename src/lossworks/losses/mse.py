"""Mean squared error: the Brier score over probabilities, the squared error over numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import CategoricalLoss, RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("mse", source="Brier 1950, Mon. Weather Rev. 78:1")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquaredError(CategoricalLoss, RegressionLoss):
    """Σ_v (p_v - y_v)², summed over the outcomes as Brier has it (0 to 2); (ŷ - y)² for numbers.

    Computed as Σ p² - 2 p_y + 1, without a one-hot target. Keras and others take the mean over the outcomes: V times less.
    Limit: with two outcomes it is 2 (1 - p_y)².
    Gradient into z: 2 p ∘ (p - y - Σ p (p - y)), which vanishes where the model is sure and wrong.
    """

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.square_sum() - 2 * scores.logp.exp() + 1

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        return (prediction - value).square()
