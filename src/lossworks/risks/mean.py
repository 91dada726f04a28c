"""The mean: what nearly all training lowers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Risk, over, risks

if TYPE_CHECKING:
    from torch import Tensor


@risks.add("mean", source="Vapnik 1991, NIPS 4:831: empirical risk minimisation")
@dataclass(frozen=True, slots=True, kw_only=True)
class Mean(Risk):
    """Σ w v / Σ w: every position counts by its weight."""

    def of(self, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return over((weight * values).sum(), weight.sum()), state
