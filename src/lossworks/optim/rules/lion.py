"""Lion: the sign of an interpolated momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, Optimizer, optimizers
from ..custom import OneRule, moments
from ..multi_tensor import Row, compiled


@optimizers.add("lion", source="Chen et al. 2023, arXiv:2302.06675, program 1")
@dataclass(frozen=True, kw_only=True)
class Lion(Optimizer):
    """w ← w - lr · sign(β₁m + (1-β₁)g), then m ← β₂m + (1-β₂)g. Every weight moves by lr: the rate is a tenth of Adam's.

    Domain: lr > 0, 0 <= beta1, beta2 < 1, weight_decay >= 0.
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.99
    shares = ("beta1", "beta2")
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _Lion(groups, {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2})


@compiled
def _rule(g, w, m, lr, kept, beta1, rest1, beta2, rest2):  # type: ignore[no-untyped-def]
    return w * kept - lr * np.sign(beta1 * m + rest1 * g), beta2 * m + rest2 * g


class _Lion(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        lr, beta1, beta2 = group["lr"], group["beta1"], group["beta2"]
        scalars = (lr, 1 - lr * group["weight_decay"], beta1, 1 - beta1, beta2, 1 - beta2)
        return [((p, *moments(self.state[p], p, "exp_avg")), scalars) for p in parameters]
