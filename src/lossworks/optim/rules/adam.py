"""Adam, AdamW, whose weight decay stands apart from the gradient, and their kin that PyTorch has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Group, Optimizer, optimizers


@optimizers.add("adam", source="Kingma & Ba 2015, arXiv:1412.6980, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - lr · m̂ / (√v̂ + eps), with m̂ and v̂ rid of their bias.

    Domain: lr > 0, 0 <= beta1, beta2 < 1, eps > 0.  Every weight moves at every step, so it needs whole tables.
    The epsilon stands beside √v̂ (Kingma & Ba's algorithm 1, PyTorch); Keras puts it beside √v (their section 2 remark).
    """

    lr: float = 0.005
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    shares: ClassVar[tuple[str, ...]] = ("beta1", "beta2")
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, weight_decay=0.0, fused=True)

    def divisor(self, state: dict[str, Any]) -> Tensor:
        unbiased: Tensor = state["exp_avg_sq"] / (1 - self.beta2 ** int(state["step"]))
        return unbiased.sqrt() + self.eps


@optimizers.add("adamw", source="Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam, and besides w ← w (1 - lr · weight_decay) for matrices, not scaled by the gradient's size.

    Domain: Adam's, and weight_decay >= 0.  Limit: weight_decay = 0 is adam.
    """

    weight_decay: float = 0.01


@optimizers.add("amsgrad", source="Reddi, Kale & Kumar 2018, arXiv:1904.09237, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class AMSGrad(Adam):
    """Adam whose steps never grow again: w ← w - lr · m̂ / (√v̂ + eps), where v̂ is made of the largest v so far.

    Domain: Adam's.  Limit: while v grows, it is adam.
    Bias is corrected as in Adam (PyTorch); the paper's algorithm corrects none.
    """

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        scalars = {"lr": self.lr, "betas": (self.beta1, self.beta2), "eps": self.eps}
        return torch.optim.AdamW(groups, **scalars, weight_decay=0.0, amsgrad=True, fused=True)  # type: ignore[arg-type]

    def divisor(self, state: dict[str, Any]) -> Tensor:
        unbiased: Tensor = state["max_exp_avg_sq"] / (1 - self.beta2 ** int(state["step"]))
        return unbiased.sqrt() + self.eps


@optimizers.add("adamax", source="Kingma & Ba 2015, arXiv:1412.6980, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class Adamax(Adam):
    """m ← β₁m + (1-β₁)g, u ← max(β₂u, |g| + eps), w ← w - lr · m̂ / u: Adam with the largest gradient for the mean square.

    Domain: Adam's.
    """

    lr: float = 0.01
    decays = "coupled"

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return torch.optim.Adamax(groups, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, foreach=True)

    def divisor(self, state: dict[str, Any]) -> Tensor:
        return torch.as_tensor(state["exp_inf"])


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
        return torch.optim.NAdam(
            groups,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            momentum_decay=self.momentum_decay,
            decoupled_weight_decay=True,
            foreach=True,
        )


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
        scalars = {"lr": self.lr, "betas": (self.beta1, self.beta2), "eps": self.eps}
        return torch.optim.RAdam(groups, **scalars, decoupled_weight_decay=True, foreach=True)  # type: ignore[arg-type]

    def divisor(self, state: dict[str, Any]) -> Tensor:
        step, longest = int(state["step"]), 2 / (1 - self.beta2) - 1
        unseen = self.beta2**step
        length = longest - 2 * step * unseen / (1 - unseen)
        deviation = torch.as_tensor(state["exp_avg_sq"]).sqrt() + self.eps
        if length <= 5:
            return torch.ones_like(deviation)
        square: float = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return deviation / math.sqrt((1 - unseen) * square)
