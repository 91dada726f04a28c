"""AdamW's step for the parameters that an optimiser of matrices leaves to it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from .custom import moments
from .multi_tensor import state_dtype


def adamw_step(states: Any, parameters: list[Tensor], group: dict[str, Any]) -> None:
    """One step of AdamW, fused, with the ``lr``, ``beta1``, ``beta2``, ``eps`` and ``weight_decay`` of the group."""
    for p in parameters:
        moments(states[p], p, "exp_avg", "exp_avg_sq")
        states[p]["step"] = states[p].get("step", torch.zeros(())).to(p.device)  # PyTorch loads counts where they were saved
    weights = [p.to(state_dtype(p)) for p in parameters]  # themselves, but for half precision
    adamw(
        weights,
        [p.grad.to(state_dtype(p)) for p in parameters],  # type: ignore[union-attr]
        [states[p]["exp_avg"] for p in parameters],
        [states[p]["exp_avg_sq"] for p in parameters],
        [],
        [states[p]["step"] for p in parameters],
        fused=True,
        amsgrad=False,
        maximize=False,
        lr=group["lr"],
        beta1=group["beta1"],
        beta2=group["beta2"],
        eps=group["eps"],
        weight_decay=group["weight_decay"],
    )
    for p, weight in zip(parameters, weights, strict=True):
        if p is not weight:
            p.copy_(weight)
