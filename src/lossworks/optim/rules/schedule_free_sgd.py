"""Schedule-free SGD: gradient descent and an average of its points, in the place of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..base import Group, optimizers
from ..multi_tensor import Row, compiled
from .schedule_free import ScheduleFree, TwoPoints


@optimizers.add("schedule_free_sgd", source="Defazio et al. 2024, arXiv:2405.15682; the average is weighted as in algorithm 1")
@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD(ScheduleFree):
    """z ← z - γ · g(y) with y = (1-beta)z + beta x, and x ← (1-c)x + cz, the average of all z. Evaluated is x.

    Here γ is lr, over the first ``warmup`` steps a growing part of it, and c = γ² / Σγ². Weight decay acts on z, taken at y.
    Domain: lr > 0, 0 < beta < 1, warmup >= 0, weight_decay >= 0.
    Limit: beta → 0 is gradient descent, with its points averaged; beta → 1 takes the gradient at the average itself.
    """

    lr: float = 0.3
    beta: float = 0.9
    warmup: int = 0
    kept = "beta"

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _ScheduleFreeSGD(groups, {"lr": self.lr, "beta": self.beta, "warmup": self.warmup})


@compiled
def _rule(g, y, z, rate, slower, share, decay):  # type: ignore[no-untyped-def]
    g = g + decay * y
    return y + share * (z - y) - slower * g, z - rate * g


class _ScheduleFreeSGD(TwoPoints):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        self.begin(group)
        rate, share = group["rate"], group["share"]
        scalars = (rate, rate * (1 - group["beta"] * (1 - share)), share, group["weight_decay"])
        return [(self.points(p), scalars) for p in parameters]
