"""Adadelta: steps in the units of the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, Optimizer, optimizers
from ..custom import OneRule, moments
from ..multi_tensor import Row, compiled


@optimizers.add("adadelta", source="Zeiler 2012, arXiv:1212.5701, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class Adadelta(Optimizer):
    """v ← rho · v + (1-rho) g², Δ = g √(d + eps) / √(v + eps), d ← rho · d + (1-rho) Δ², w ← w - lr · Δ.

    Steps are as long as past ones were for their gradients, so lr = 1 needs no tuning; they start small, near √eps.
    Domain: lr > 0, 0 <= rho < 1, eps > 0.
    """

    lr: float = 5
    rho: float = 0.95
    eps: float = 1e-6
    decays = "coupled"
    shares = ("rho",)
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _Adadelta(groups, {"lr": self.lr, "rho": self.rho, "eps": self.eps})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        # The lengths of past steps already hold the step just made: this is the step size that the next one has.
        ratio: Tensor = (state["square_avg"] + self.eps) / (state["acc_delta"] + self.eps)
        return ratio.sqrt()


@compiled
def _rule(g, w, v, d, lr, decay, rho, rest, eps):  # type: ignore[no-untyped-def]
    g = g + decay * w
    v = rho * v + rest * g * g
    step = g * np.sqrt((d + eps) / (v + eps))
    return w - lr * step, v, rho * d + rest * step * step


class _Adadelta(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        scalars = (group["lr"], group["weight_decay"], group["rho"], 1 - group["rho"], group["eps"])
        return [((p, *moments(self.state[p], p, "square_avg", "acc_delta")), scalars) for p in parameters]
