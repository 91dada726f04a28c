"""RMSProp: AdaGrad that forgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.kernels import kernel
from ...data import RowGradient
from ..base import Group, Optimizer, each_row, optimizers
from ..custom import OneRule, moments
from ..multi_tensor import Row, compiled


@optimizers.add("rmsprop", source="Tieleman & Hinton 2012, Coursera Neural Networks, lecture 6e")
@dataclass(frozen=True, kw_only=True)
class RMSProp(Optimizer):
    """v ← alpha · v + (1 - alpha) g², w ← w - lr · g / (√v + eps).

    Domain: lr > 0, 0 <= alpha < 1, eps > 0.  The epsilon stands outside the root, as in PyTorch.
    """

    lr: float = 0.003
    alpha: float = 0.99
    eps: float = 1e-8
    decays = "coupled"
    shares = ("alpha",)
    row_state: ClassVar[tuple[str, ...] | None] = ("square_avg", "seen")
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _RMSProp(groups, {"lr": self.lr, "alpha": self.alpha, "eps": self.eps})

    def divisor(self, state: dict[str, Any]) -> Tensor:
        return torch.as_tensor(state["square_avg"]).sqrt() + self.eps

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        scalars = (lr, self.alpha, 1 - self.alpha, self.eps)  # in float32, 1 - alpha would lose two digits of seven
        each_row(_adapt, gradient, weight, state["square_avg"], state["seen"], *scalars, step)


@compiled
def _rule(g, w, v, lr, decay, alpha, rest, eps):  # type: ignore[no-untyped-def]
    g = g + decay * w
    v = alpha * v + rest * g * g
    return w - lr * g / (np.sqrt(v) + eps), v


class _RMSProp(OneRule):
    rule = staticmethod(_rule)

    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        scalars = (group["lr"], group["weight_decay"], group["alpha"], 1 - group["alpha"], group["eps"])
        return [((p, *moments(self.state[p], p, "square_avg")), scalars) for p in parameters]


@kernel
def _adapt(part, parts, touched, counts, total, weight, squares, seen, lr, alpha, rest, eps, step):  # type: ignore[no-untyped-def]
    """A row not seen for k steps had k zero gradients: its weights stood still and its squares fell by alpha^k."""
    for group in range(part, len(counts), parts):
        for place in range(counts[group]):
            row = touched[group, place]
            for column in range(weight.shape[1]):
                grad = total[row, column]
                fallen = squares[row, column] * alpha ** (step - np.int64(seen[row, column]))
                squares[row, column] = fallen + rest * grad * grad
                weight[row, column] -= lr * grad / (np.sqrt(squares[row, column]) + eps)
                seen[row, column] = step
