"""L2: large weights are drawn towards zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from .base import Penalty, penalties

if TYPE_CHECKING:
    from jaxtyping import Float


@penalties.add("l2", source="Hoerl & Kennard 1970, Technometrics 12:55; Krogh & Hertz 1991, NIPS 4:950")
@dataclass(frozen=True, slots=True, kw_only=True)
class L2(Penalty):
    """strength/2 · Σ w². Its flow is exponential decay: w · exp(-strength · time).

    Domain: strength >= 0.  Limit: for small strength · time it is weight decay, w (1 - strength · time).
    """

    is_smooth: ClassVar[bool] = True

    def value(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
        return self.strength / 2 * weight.square().sum()

    def prox(self, weight: Float[Tensor, "*shape"], time: Float[Tensor, "*#shape"] | float) -> Float[Tensor, "*shape"]:
        return weight * torch.exp(torch.as_tensor(-self.strength * time, dtype=weight.dtype, device=weight.device))
