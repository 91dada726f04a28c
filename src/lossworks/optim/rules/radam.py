"""RAdam: Adam that warms itself up, for as long as its mean of squares is made of few steps."""

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


@optimizers.add("radam", source="Liu et al. 2020, arXiv:1908.03265, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class RAdam(Adam):
    """w ← w - lr · r · m̂ / (√v̂ + eps) with r² = (ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ), and w ← w - lr · m̂ while ρ <= 5.

    Here ρ∞ = 2/(1-β₂) - 1, and ρ = ρ∞ - 2t β₂ᵗ/(1-β₂ᵗ) says how many steps v is made of: a warm-up of its own.
    Domain: Adam's.  Limit: after many steps r is 1 and it is adam.
    The bound is 5 in PyTorch, where the paper has 4.
    """

    lr: float = 0.02

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _RAdam(groups, {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        unseen, square = _rectified(self.beta2, int(state["step"]))
        deviation = torch.as_tensor(state["exp_avg_sq"]).sqrt() + self.eps
        return deviation / math.sqrt((1 - unseen) * square) if square else torch.ones_like(deviation)


def _rectified(beta2: float, step: int) -> tuple[float, float]:
    """β₂ᵗ, and r² or, while v is made of too few steps, 0."""
    unseen, longest = beta2**step, 2 / (1 - beta2) - 1
    length = longest - 2 * step * unseen / (1 - unseen)
    square = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length) if length > 5 else 0.0
    return unseen, square


@compiled
def _rule(g, w, m, v, plain, adaptive, kept, beta1, rest1, beta2, rest2, eps):  # type: ignore[no-untyped-def]
    m, v = beta1 * m + rest1 * g, beta2 * v + rest2 * g * g
    return w * kept - m * (plain + adaptive / (np.sqrt(v) + eps)), m, v


class _RAdam(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> Iterator[Row]:
        lr, beta1, beta2 = group["lr"], group["beta1"], group["beta2"]
        for step, alike in by_step(self.state, parameters).items():
            unseen, square = _rectified(beta2, step)
            rate = lr / (1 - beta1**step)
            rates = (0.0, rate * math.sqrt((1 - unseen) * square)) if square else (rate, 0.0)
            scalars = (*rates, 1 - lr * group["weight_decay"], beta1, 1 - beta1, beta2, 1 - beta2, group["eps"])
            for p in alike:
                yield (p, *moments(self.state[p], p, "exp_avg", "exp_avg_sq")), scalars
