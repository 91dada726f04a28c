"""Taylor cross-entropy: the first terms of cross-entropy's series, for labels that are sometimes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores import Scores
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("taylor_cross_entropy", source="Feng et al. 2020, Can cross entropy loss be robust to label noise?, IJCAI 2020")
@dataclass(frozen=True, slots=True, kw_only=True)
class TaylorCrossEntropy(CategoricalLoss):
    """Σ_{k=1}^order (1 - p_y)^k / k: the Taylor series of -log p at p = 1, cut off, so that it is bounded.

    Domain: order >= 1, a whole number.
    Limit: order = 1 is 1 - p_y, half the absolute error Σ |p - y|; order → ∞ is cross-entropy.
    Gradient into z: that of cross-entropy times 1 - (1 - p)^order.
    """

    order: int = 2

    def __post_init__(self) -> None:
        if self.order < 1:
            raise UsageError(f"order is {self.order}; wanted a whole number, at least 1.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        miss = -scores.logp.expm1()
        series = torch.zeros_like(miss)
        for k in range(self.order, 0, -1):  # Horner's rule
            series = (series + 1 / k) * miss
        return series
