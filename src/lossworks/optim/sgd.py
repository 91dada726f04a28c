"""Gradient descent, on all examples at once or on a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from ..batches import RowGradient
from .base import Optimizer, each_row, optimizers


class _Plain(Optimizer):
    """w ← w - lr · gradient, nothing remembered."""

    row_state: ClassVar[tuple[str, ...] | None] = ()

    def torch(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=self.lr)

    def update_rows(self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int) -> None:
        each_row(_descend, gradient, weight, self.lr)


@optimizers.add("sgd", source="Robbins & Monro 1951, Ann. Math. Stat. 22:400")
@dataclass(frozen=True, kw_only=True)
class SGD(_Plain):
    """Stochastic gradient descent: w ← w - lr · gradient of the batch.

    Domain: lr > 0.
    """

    lr: float = 0.5


@optimizers.add("gradient_descent", source="Cauchy 1847, C. R. Acad. Sci. Paris 25:536")
@dataclass(frozen=True, kw_only=True)
class GradientDescent(_Plain):
    """Gradient descent: w ← w - lr · gradient of all examples, one step an epoch.

    Domain: lr > 0.
    """

    lr: float = 1.0
    full_batch: ClassVar[bool] = True


@njit(cache=True, nogil=True)
def _descend(part, parts, touched, counts, total, weight, lr):  # type: ignore[no-untyped-def]
    for group in range(part, len(counts), parts):
        for place in range(counts[group]):
            row = touched[group, place]
            for column in range(weight.shape[1]):
                weight[row, column] -= lr * total[row, column]
