"""Mean absolute error: what the median makes least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("mae", source="Laplace 1774; Koenker & Bassett 1978, Econometrica 46:33, for the median")
@dataclass(frozen=True, slots=True, kw_only=True)
class MeanAbsoluteError(RegressionLoss):
    """|ŷ - y|, in the unit of the values: least at the median, so a few wild values hardly move it.

    Gradient into ŷ: the sign of the error, 0 where there is none.  It is twice the quantile loss at level 0.5.
    """

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        return (prediction - value).abs()
