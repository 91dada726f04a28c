"""NAdam: Adam that looks ahead along its momentum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, optimizers
from ..custom import OneRule, by_step, moments
from ..multi_tensor import Row, compiled
from .adam import Adam


@optimizers.add("nadam", source="Dozat 2016, Incorporating Nesterov momentum into Adam, ICLR workshop")
@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    """w ← w - lr · (μ' m / (1 - Π μ μ') + (1 - μ) g / (1 - Π μ)) / (√v̂ + eps): Adam that looks ahead along its momentum.

    The momentum μ of step t is β₁ (1 - 0.96^(t · momentum_decay) / 2), that of the next step is μ', and Π μ are all so far.
    Domain: Adam's, and momentum_decay >= 0 (how fast the momentum grows from β₁/2 to β₁).
    """

    lr: float = 0.005
    momentum_decay: float = 0.004
    nonnegative = ("momentum_decay",)

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        own = {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        return _NAdam(groups, own | {"momentum_decay": self.momentum_decay})


@compiled
def _rule(g, w, m, v, ahead, along, kept, beta1, rest1, beta2, rest2, root, eps):  # type: ignore[no-untyped-def]
    m, v = beta1 * m + rest1 * g, beta2 * v + rest2 * g * g
    return w * kept - (ahead * m + along * g) / (np.sqrt(v) * root + eps), m, v


class _NAdam(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> Iterator[Row]:
        lr, beta1, beta2 = group["lr"], group["beta1"], group["beta2"]
        for step, alike in by_step(self.state, parameters).items():
            now, later = (beta1 * (1 - 0.96 ** (t * group["momentum_decay"]) / 2) for t in (step, step + 1))
            for p in alike:
                state = self.state[p]
                held = state["mu_product"] = now * state.get("mu_product", torch.ones(()))  # in float32, as PyTorch keeps it
                product = float(held)
                rates = lr * later / (1 - product * later), lr * (1 - now) / (1 - product)
                root = 1 / math.sqrt(1 - beta2**step)
                scalars = (*rates, 1 - lr * group["weight_decay"], beta1, 1 - beta1, beta2, 1 - beta2, root, group["eps"])
                yield (p, *moments(state, p, "exp_avg", "exp_avg_sq")), scalars
