"""Elastic net: L1 and L2 together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core import domains
from .base import Penalty, penalties

if TYPE_CHECKING:
    from jaxtyping import Float


@penalties.add("elastic_net", source="Zou & Hastie 2005, JRSS B 67:301; with a ratio: Friedman et al. 2010, JSS 33(1), eq. 2")
@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticNet(Penalty):
    """strength · (l1_ratio · Σ|w| + (1 - l1_ratio)/2 · Σ w²): zeros as from L1; what occurs together shares its weight.

    With a = strength · l1_ratio and b = strength - a its flow is |w| e^(-bt) - a (1 - e^(-bt))/b, which stays at 0 once there.
    Domain: strength >= 0, 0 <= l1_ratio <= 1.  Limits: l1_ratio = 1 is L1, 0 is L2.
    """

    l1_ratio: float = 0.5

    def __post_init__(self) -> None:
        Penalty.__post_init__(self)
        domains.fraction(self, "l1_ratio")

    def value(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
        return self.strength * (self.l1_ratio * weight.abs().sum() + (1 - self.l1_ratio) / 2 * weight.square().sum())

    def prox(self, weight: Float[Tensor, "*shape"], time: Float[Tensor, "*#shape"] | float) -> Float[Tensor, "*shape"]:
        time = torch.as_tensor(time, dtype=weight.dtype, device=weight.device)
        l1, l2 = self.strength * self.l1_ratio, self.strength * (1 - self.l1_ratio)
        shrunk = -torch.expm1(-l2 * time) / l2 if l2 else time
        return weight.sign() * (weight.abs() * torch.exp(-l2 * time) - l1 * shrunk).clamp_min(0)
