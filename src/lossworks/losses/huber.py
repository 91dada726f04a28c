"""Huber's loss: squared near the truth, absolute far from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("huber", source="Huber 1964, Ann. Math. Statist. 35:73")
@dataclass(frozen=True, slots=True, kw_only=True)
class Huber(RegressionLoss):
    """e²/2 where |e| <= delta, delta (|e| - delta/2) beyond, with e = ŷ - y: squares near the truth, lines far from it.

    Domain: delta > 0, in the unit of the values.
    Limit: delta beyond all errors is half the squared error; the loss over delta goes to |e| as delta goes to 0.
    Gradient into ŷ: e, held between -delta and delta.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        domains.positive(self, "delta")

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        error = prediction - value
        held = error.clamp(-self.delta, self.delta)
        return held * (error - held / 2)
