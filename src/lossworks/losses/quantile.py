"""The quantile (pinball) loss: errors above and below weigh differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from .base import RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("quantile", source="Koenker & Bassett 1978, Econometrica 46:33")
@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile(RegressionLoss):
    """level · (y - ŷ) where ŷ is too low, (1 - level) · (ŷ - y) where it is too high: least at the quantile ``level`` of y.

    Domain: 0 < level < 1.  Limit: level = 0.5 is half the absolute error.
    Gradient into ŷ: -level below the value, 1 - level above it, 0 on it.
    """

    level: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(f"level is {self.level}; wanted more than 0 and less than 1.")

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        too_high = prediction - value
        return self.level * (-too_high).relu() + (1 - self.level) * too_high.relu()
