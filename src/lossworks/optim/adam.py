"""Adam, and AdamW, whose weight decay stands apart from the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UsageError
from .base import Optimizer, optimizers


@optimizers.add("adam", source="Kingma & Ba 2015, arXiv:1412.6980, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - lr · m̂ / (√v̂ + eps), with m̂ and v̂ rid of their bias.

    Domain: lr > 0, 0 <= beta1, beta2 < 1, eps > 0.  Every weight moves at every step, so it needs whole tables.
    The epsilon stands beside √v̂ (Kingma & Ba's algorithm 1, PyTorch); Keras puts it beside √v (their section 2 remark).
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; wanted 0 or more, below 1.")

    def torch(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)

    def divisor(self, state: dict[str, Any]) -> Tensor:
        unbiased: Tensor = state["exp_avg_sq"] / (1 - self.beta2 ** int(state["step"]))
        return unbiased.sqrt() + self.eps


@optimizers.add("adamw", source="Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2")
@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam, and besides w ← w (1 - lr · weight_decay) for weight matrices, not scaled by the gradient's size.

    Domain: Adam's, and weight_decay >= 0.  Limit: weight_decay = 0 is adam.
    """

    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.weight_decay >= 0:
            raise UsageError(f"weight_decay is {self.weight_decay}; wanted 0 or more.")

    def torch(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        decayed = [p for p in parameters if p.ndim > 1]
        others = [p for p in parameters if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        given = [group for group in groups if group["params"]]
        return torch.optim.AdamW(given, lr=self.lr, betas=(self.beta1, self.beta2), eps=self.eps, fused=True)
