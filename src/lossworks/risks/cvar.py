"""Conditional value at risk: the mean of the worst."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..core.errors import UsageError
from .base import Risk, over, risks


@risks.add("cvar", source="Rockafellar & Uryasev 2000, J. Risk 2(3):21; shares on the boundary: 2002, J. Bank. Finance 26:1443")
@dataclass(frozen=True, slots=True, kw_only=True)
class CVaR(Risk):
    """The mean over the worst ``alpha`` of the weight; of the position on the boundary only the share that is inside.

    Domain: 0 < alpha <= 1.  Limits: alpha = 1 is the mean, alpha → 0 the worst value.
    Gradient: a position's share of the worst, 0 for the others. Among equal values on the boundary it is those that come first.
    Over the steps of training, the mean of the batches' risks lies below that of all rows at once: with small batches
    the worst of each batch are milder than the worst of all.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise UsageError(f"alpha is {self.alpha}; wanted more than 0, up to 1.")

    def of(self, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        worst = values.detach().argsort(descending=True, stable=True)
        weight = weight[worst]
        budget = self.alpha * weight.sum()
        before = weight.cumsum(0) - weight
        taken = (budget - before).clamp_min(0).minimum(weight)
        return over((taken * values[worst]).sum(), taken.sum()), state
