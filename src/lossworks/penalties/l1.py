"""L1: small weights become exactly zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .base import Penalty, penalties

if TYPE_CHECKING:
    from jaxtyping import Float


@penalties.add("l1", source="Tibshirani 1996, JRSS B 58:267; the proximal step: Duchi & Singer 2009, JMLR 10:2899")
@dataclass(frozen=True, slots=True, kw_only=True)
class L1(Penalty):
    """strength · Σ|w|. Its flow is the soft threshold: |w| falls by strength · time and stays at 0 once there.

    Domain: strength >= 0.
    """

    def value(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
        return self.strength * weight.abs().sum()

    def prox(self, weight: Float[Tensor, "*shape"], time: Float[Tensor, "*#shape"] | float) -> Float[Tensor, "*shape"]:
        fall = torch.as_tensor(self.strength * time, dtype=weight.dtype, device=weight.device)
        return weight.sign() * (weight.abs() - fall).clamp_min(0)
