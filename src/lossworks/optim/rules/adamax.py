"""Adamax: Adam with the largest gradient for the mean square."""

from __future__ import annotations

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


@optimizers.add("adamax", source="Kingma & Ba 2015, arXiv:1412.6980, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class Adamax(Adam):
    """m ← β₁m + (1-β₁)g, u ← max(β₂u, |g| + eps), w ← w - lr · m̂ / u: Adam with the largest gradient for the mean square.

    Domain: Adam's.
    """

    lr: float = 0.01
    decays = "coupled"

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _Adamax(groups, {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        return torch.as_tensor(state["exp_inf"])


@compiled
def _rule(g, w, m, u, rate, decay, beta1, rest1, beta2, eps):  # type: ignore[no-untyped-def]
    g = g + decay * w
    m, u = beta1 * m + rest1 * g, np.maximum(beta2 * u, np.abs(g) + eps)
    return w - rate * m / u, m, u


class _Adamax(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> Iterator[Row]:
        beta1 = group["beta1"]
        for step, alike in by_step(self.state, parameters).items():
            rate = group["lr"] / (1 - beta1**step)
            scalars = (rate, group["weight_decay"], beta1, 1 - beta1, group["beta2"], group["eps"])
            for p in alike:
                yield (p, *moments(self.state[p], p, "exp_avg", "exp_inf")), scalars
