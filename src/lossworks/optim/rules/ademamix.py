"""AdEMAMix: Adam with a second, much slower average of the gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..base import Group, optimizers
from ..custom import OneRule, by_step, moments
from ..multi_tensor import Row, compiled
from .adam import Adam


@optimizers.add("ademamix", source="Pagliardini et al. 2024, arXiv:2409.03137, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class AdEMAMix(Adam):
    """w ← w - lr · (m̂ + alpha · s) / (√v̂ + eps), with Adam's m̂ and v̂, and s ← β₃s + (1-β₃)g never rid of its bias.

    Domain: lr > 0, 0 <= beta1, beta2, beta3 < 1, alpha >= 0, eps > 0, weight_decay >= 0; warm-ups in steps, 0 or more.
    Limit: alpha = 0 is adamw.
    Over warmup_alpha steps alpha grows in a line from 0, over warmup_beta3 the half-life of s from that of m (0: at once).
    The paper sets both to the length of the training; without them a slow average of early gradients can lead astray.
    """

    beta3: float = 0.9999
    alpha: float = 5.0
    warmup_alpha: int = 0
    warmup_beta3: int = 0
    shares = ("beta1", "beta2", "beta3")
    nonnegative = ("alpha", "warmup_alpha", "warmup_beta3")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        names = ("lr", "beta1", "beta2", "beta3", "alpha", "eps", "warmup_alpha", "warmup_beta3")
        return _AdEMAMix(groups, {name: getattr(self, name) for name in names})


@compiled
def _rule(g, w, m, v, s, kept, beta1, rest1, beta2, rest2, beta3, rest3, fast, slow, root, eps):  # type: ignore[no-untyped-def]
    m, v, s = beta1 * m + rest1 * g, beta2 * v + rest2 * g * g, beta3 * s + rest3 * g
    return w * kept - (fast * m + slow * s) / (np.sqrt(v) * root + eps), m, v, s


class _AdEMAMix(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        lr, beta1, beta2 = group["lr"], group["beta1"], group["beta2"]
        kept, shares = 1 - lr * group["weight_decay"], (beta1, 1 - beta1, beta2, 1 - beta2)
        found: list[Row] = []
        for step, alike in by_step(self.state, parameters).items():
            alpha, beta3 = _mixture(group, step)
            fast, root = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
            scalars = (kept, *shares, beta3, 1 - beta3, fast, lr * alpha, root, group["eps"])
            found += [((p, *moments(self.state[p], p, "exp_avg", "exp_avg_sq", "exp_avg_slow")), scalars) for p in alike]
        return found


def _mixture(group: dict[str, Any], step: int) -> tuple[float, float]:
    """How much the slow average weighs at step number ``step``, and what share of it is kept."""
    alpha, beta3 = group["alpha"], group["beta3"]
    if step < group["warmup_alpha"]:
        alpha *= step / group["warmup_alpha"]
    if step < group["warmup_beta3"]:
        done = step / group["warmup_beta3"]
        half_life = (1 - done) * _half_life(group["beta1"]) + done * _half_life(beta3)
        beta3 = min(0.5 ** (1 / half_life) if half_life else 0.0, beta3)
    return alpha, beta3


def _half_life(beta: float) -> float:
    """After how many steps half is left of what an average holds that keeps ``beta`` at each."""
    return math.log(0.5) / math.log(beta) if beta else 0.0
