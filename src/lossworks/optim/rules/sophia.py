"""Sophia: a momentum divided by a light estimate of the curvature, and clipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...core.errors import UsageError
from ..base import Group, Optimizer, optimizers
from ..custom import OneRule, moments
from ..multi_tensor import Row, compiled


@optimizers.add("sophia", source="Liu et al. 2023, arXiv:2305.14342, algorithm 3; Sophia-G, with the estimate of algorithm 2")
@dataclass(frozen=True, kw_only=True)
class Sophia(Optimizer):
    """w ← w - lr · clip(m / max(gamma · h, eps), 1), with m ← β₁m + (1-β₁)g, and every few steps h ← β₂h + (1-β₂)ĥ.

    Domain: lr > 0, 0 <= beta1, beta2 < 1, gamma > 0, eps > 0, every >= 1, weight_decay >= 0.
    Limit: gamma → 0 is the sign of the momentum (lion with beta1 = beta2).
    The curvature ĥ is the Gauss-Newton-Bartlett estimate: the number of examples times the squared gradient of their mean loss
    on targets sampled from the model. Where ``wants_curvature`` says so, before the first step and then every few, a loop makes
    that gradient and calls ``observe_curvature(examples)``.
    """

    lr: float = 0.001
    weight_decay: float = 0.2
    beta1: float = 0.96
    beta2: float = 0.99
    gamma: float = 0.05
    eps: float = 1e-12
    every: int = 10
    positive = ("gamma",)
    shares = ("beta1", "beta2")
    counts = ("every",)
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        own = {"lr": self.lr, "betas": (self.beta1, self.beta2), "gamma": self.gamma, "eps": self.eps, "every": self.every}
        return _Sophia(groups, own | {"steps": 0, "observed": False})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        curved: Tensor = (self.gamma * state["hessian"]).clamp(min=self.eps)
        return torch.maximum(curved, state["exp_avg"].abs())  # a clipped step is the momentum over its own size


@compiled
def _rule(g, w, m, h, lr, kept, beta1, rest1, gamma, eps):  # type: ignore[no-untyped-def]
    m = beta1 * m + rest1 * g
    return w * kept - np.minimum(np.maximum(lr * m / np.maximum(gamma * h, eps), -lr), lr), m


class _Sophia(OneRule):
    rule = staticmethod(_rule)

    @property
    def wants_curvature(self) -> bool:
        """Whether ``observe_curvature`` is due before the next step."""
        first = self.param_groups[0]
        return bool(first["steps"] % first["every"] == 0 and not first["observed"])

    @torch.no_grad()
    def observe_curvature(self, examples: int) -> None:
        """Take the gradients that stand in the parameters for those of the mean loss of ``examples`` sampled targets."""
        if examples < 1:
            raise UsageError(f"the curvature was observed on {examples} examples; wanted 1 or more.")
        for group in self.param_groups:
            group["observed"] = True
            beta2 = group["betas"][1]
            for p in group["params"]:
                if p.grad is not None:
                    (h,) = moments(self.state[p], p, "hessian")
                    h.mul_(beta2).add_(p.grad.to(h.dtype).square(), alpha=(1 - beta2) * examples)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        if self.wants_curvature:
            raise UsageError(
                "sophia needs an estimate of the curvature before this step: make the gradients of the mean loss on targets "
                "sampled from the model, call observe_curvature(examples), then zero_grad()."
            )
        loss = super().step(closure)
        for group in self.param_groups:
            group["steps"] += 1
            group["observed"] = False
        return loss

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        lr, beta1 = group["lr"], group["betas"][0]
        scalars = (lr, 1 - lr * group["weight_decay"], beta1, 1 - beta1, group["gamma"], group["eps"])
        return [((p, *moments(self.state[p], p, "exp_avg", "hessian")), scalars) for p in parameters]
