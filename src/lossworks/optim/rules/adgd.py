"""Adaptive gradient descent without descent: step sizes from the curvature met on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..base import Group, Optimizer, optimizers
from ..custom import ByGroup, Part, moments
from ..multi_tensor import state_dtype


@optimizers.add("adgd", source="Malitsky & Mishchenko 2020, arXiv:1910.09529, algorithm 1")
@dataclass(frozen=True, kw_only=True)
class AdGD(Optimizer):
    """w ← w - λ · gradient of all examples, with λ = min(√(1 + λ'/λ'') λ', ‖Δw‖ / (2 ‖Δg‖)), for λ' and λ'' the last two.

    One λ for all parameters together, from how the gradient changed since the step before: nothing is to be tuned.
    lr is the first λ alone and should be small; a schedule acts on no other step.
    Domain: lr > 0.
    """

    lr: float = 0.001
    full_batch: ClassVar[bool] = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _AdGD(groups, {"lr": self.lr, "size": 0.0, "ratio": math.inf})


class _AdGD(ByGroup):
    """``size`` is λ of the latest step and ``ratio`` what it was of the one before; ``lr`` is set to it, for whoever reads it."""

    def update_together(self, parts: list[Part]) -> None:
        size, ratio = self._size(parts)
        for group in self.param_groups:
            group["lr"], group["size"], group["ratio"] = size, size, ratio
        super().update_together(parts)

    def _size(self, parts: list[Part]) -> tuple[float, float]:
        first = self.param_groups[0]
        last, ratio = first["size"], first["ratio"]
        if not last:
            return first["lr"], math.inf
        known = [p for parameters, _ in parts for p in parameters if self.state[p]]
        moved = _norm([p.to(state_dtype(p)) - self.state[p]["weight"] for p in known])
        turned = _norm([p.grad.to(state_dtype(p)) - self.state[p]["gradient"] for p in known])  # type: ignore[union-attr]
        by_curvature = moved / (2 * turned) if turned else math.inf
        size = min(math.sqrt(1 + ratio) * last, by_curvature)
        if not 0 < size < math.inf:  # nothing has moved, or a constant gradient at the second step: nothing is known
            size = last
        return size, size / last

    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for p in parameters:
            assert p.grad is not None
            weight, gradient = moments(self.state[p], p, "weight", "gradient")
            weight.copy_(p)
            gradient.copy_(p.grad)
            p.mul_(1 - group["lr"] * group["weight_decay"]).add_(p.grad, alpha=-group["lr"])


def _norm(tensors: list[Tensor]) -> float:
    norms = [torch.linalg.vector_norm(tensor, dtype=torch.float64) for tensor in tensors]
    every = torch.stack([norm.to(norms[0].device) for norm in norms]).tolist() if norms else []  # one wait for a device
    return math.sqrt(sum(norm**2 for norm in every))
