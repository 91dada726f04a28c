"""Schedule-free AdamW: adaptive steps and an average of their points, in the place of a schedule and of momentum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, optimizers
from ..custom import moments
from ..multi_tensor import Row, compiled
from .schedule_free import ScheduleFree, TwoPoints


@optimizers.add("schedule_free_adamw", source="Defazio et al. 2024, arXiv:2405.15682, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW(ScheduleFree):
    """z ← z - γ · (g / (√v + eps) + weight_decay · y) with y = (1-β₁)z + β₁x, and x ← (1-c)x + cz. Evaluated is x.

    Here v ← β₂v + (1-β₂)g², γ is lr · √(1-β₂ᵗ), over the first ``warmup`` steps a growing part of it, and c = γ² / Σγ².
    Domain: lr > 0, 0 < beta1 < 1, 0 <= beta2 < 1, eps > 0, warmup >= 0, weight_decay >= 0.
    Limit: beta1 → 0 is adamw without momentum, with its points averaged.
    The authors' program has since put the correction of v's bias under the root, and out of γ; here it is as published.
    """

    lr: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    warmup: int = 0
    shares = ("beta2",)
    kept = "beta1"

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        own = {"lr": self.lr, "beta": self.beta1, "beta2": self.beta2, "eps": self.eps, "warmup": self.warmup}
        return _ScheduleFreeAdamW(groups, own)

    def divisor(self, state: dict[str, Any]) -> Tensor:
        squares: Tensor = state["exp_avg_sq"]
        return squares.sqrt() + self.eps


@compiled
def _rule(g, y, z, v, rate, slower, share, decay, beta2, rest2, eps):  # type: ignore[no-untyped-def]
    v = beta2 * v + rest2 * g * g
    g = g / (np.sqrt(v) + eps) + decay * y
    return y + share * (z - y) - slower * g, z - rate * g, v


class _ScheduleFreeAdamW(TwoPoints):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        beta2 = group["beta2"]
        self.begin(group, lambda step: math.sqrt(1 - beta2**step))
        rate, share = group["rate"], group["share"]
        slower = rate * (1 - group["beta"] * (1 - share))
        scalars = (rate, slower, share, group["weight_decay"], beta2, 1 - beta2, group["eps"])
        return [((*self.points(p), *moments(self.state[p], p, "exp_avg_sq")), scalars) for p in parameters]
