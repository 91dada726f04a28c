"""Adan: Nesterov's momentum for adaptive steps, from differences of gradients in the place of a look ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, Optimizer, optimizers
from ..custom import OneRule, moments
from ..multi_tensor import Row, compiled, state_dtype


@optimizers.add("adan", source="Xie et al. 2022, arXiv:2208.06677, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class Adan(Optimizer):
    """w ← (w - lr · (m + β₂v) / (√n + eps)) / (1 + lr · weight_decay), m, v and n averages of g, of d and of (g + β₂d)².

    Here d is the gradient less the one before: m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)d, n ← β₃n + (1-β₃)(g + β₂d)².
    Domain: lr > 0, 0 <= beta1, beta2, beta3 < 1, eps > 0, weight_decay >= 0.  The betas are what is kept; the paper's are 1 less
    ours. As in the paper the averages start at the first gradient, m = g, v = 0, n = g²; the authors' program starts them at 0
    and corrects their bias. Decay comes after the step, by a division.
    """

    lr: float = 0.003
    beta1: float = 0.98
    beta2: float = 0.92
    beta3: float = 0.99
    eps: float = 1e-8
    shares = ("beta1", "beta2", "beta3")
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _Adan(groups, {"lr": self.lr, "betas": (self.beta1, self.beta2, self.beta3), "eps": self.eps})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        squares: Tensor = state["exp_avg_sq"]
        return squares.sqrt() + self.eps


@compiled
def _rule(g, w, m, v, n, before, lr, kept, beta1, rest1, beta2, rest2, beta3, rest3, eps):  # type: ignore[no-untyped-def]
    turn = g - before
    ahead = g + beta2 * turn
    m, v, n = beta1 * m + rest1 * g, beta2 * v + rest2 * turn, beta3 * n + rest3 * ahead * ahead
    return (w - lr * (m + beta2 * v) / (np.sqrt(n) + eps)) * kept, m, v, n, g


class _Adan(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        lr = group["lr"]
        shares = [number for beta in group["betas"] for number in (beta, 1 - beta)]
        scalars = (lr, 1 / (1 + lr * group["weight_decay"]), *shares, group["eps"])
        for p in parameters:
            state = self.state[p]
            if not state:
                assert p.grad is not None
                first = p.grad.to(state_dtype(p))
                state |= {"exp_avg": first.clone(), "exp_avg_sq": first.square(), "previous_grad": first.clone()}
        names = ("exp_avg", "exp_avg_diff", "exp_avg_sq", "previous_grad")
        return [((p, *moments(self.state[p], p, *names)), scalars) for p in parameters]
