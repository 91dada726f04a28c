"""Gradient descent on all examples at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from numpy.typing import NDArray

from ..batches import RowGradient
from .base import Group, Optimizer, each_row, optimizers
from .sgd import descend


@optimizers.add("gradient_descent", source="Cauchy 1847, C. R. Acad. Sci. Paris 25:536")
@dataclass(frozen=True, kw_only=True)
class GradientDescent(Optimizer):
    """Gradient descent: w ← w - lr · gradient of all examples, one step an epoch.

    Domain: lr > 0.
    """

    lr: float = 1.0
    full_batch: ClassVar[bool] = True
    decays: ClassVar[Literal["coupled", "decoupled", "neither"]] = "coupled"
    row_state: ClassVar[tuple[str, ...] | None] = ()

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=self.lr, fused=True)

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        each_row(descend, gradient, weight, lr)
