"""Adam, AdamW, whose weight decay stands apart from the gradient, and AMSGrad, as PyTorch has them."""

from __future__ import annotations

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
