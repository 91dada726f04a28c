"""Gradient descent on all examples at once, at a fixed rate or along a line search."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import Diverged
from ...data import RowGradient
from ..base import Group, Optimizer, each_row, optimizers
from ..custom import check_whole
from .sgd import descend

_SLOPE = 1e-4  # the share of the descent that the grad promises, of which a step must keep at least so much
_HALVINGS = 60  # further down no float64 weight would move


@optimizers.add("gradient_descent", source="Cauchy 1847, C. R. Acad. Sci. Paris 25:536; Armijo 1966, Pacific J. Math. 16:1")
@dataclass(frozen=True, kw_only=True)
class GradientDescent(Optimizer):
    """Gradient descent: w ← w - lr · gradient of all examples, one step an epoch.

    With line_search, w ← w - t · gradient: t starts at lr, then at twice what the last step took, and is halved until the loss
    has fallen by 1e-4 · t · ‖gradient‖² or more (Armijo's condition). A schedule then scales the first trial alone.
    Domain: lr > 0; with line_search no weight_decay, and a penalty must be smooth.
    """

    lr: float = 1.0
    line_search: bool = False
    full_batch: ClassVar[bool] = True
    decays = "coupled"
    row_state: ClassVar[tuple[str, ...] | None] = ()

    @property
    def needs_closure(self) -> bool:
        return self.line_search

    @property
    def works_on_rows(self) -> bool:
        return super().works_on_rows and not self.line_search

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        if self.line_search:
            return _Backtracking(groups, {"lr": self.lr, "taken": 0.0})
        return torch.optim.SGD(groups, lr=self.lr, fused=True)

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        each_row(descend, gradient, weight, lr)


class _Backtracking(torch.optim.Optimizer):
    """Steps along the gradient that the closure makes, as far as the loss falls enough; after it, that gradient stands again."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float]) -> float:  # type: ignore[override]
        loss = _evaluate(closure)
        if not math.isfinite(loss):
            raise Diverged(f"the loss was {loss} before the step. The weights were not updated.")
        check_whole(self)
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        start, grads = [p.clone() for p in moved], [p.grad.clone() for p in moved]
        squares = sum(torch.linalg.vector_norm(grad, dtype=torch.float64).item() ** 2 for grad in grads)
        taken = self.param_groups[0]["taken"]
        taken = self._search(closure, loss, start, grads, squares, 2 * taken or self.param_groups[0]["lr"])
        for group in self.param_groups if taken else []:
            group["taken"] = taken
        for p, grad in zip(moved, grads, strict=True):
            p.grad = grad
        return loss

    def _search(
        self, closure: Callable[[], float], loss: float, start: list[Tensor], grads: list[Tensor], squares: float, size: float
    ) -> float:
        """Move the weights; how far, 0 where no step lowers the loss."""
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        for _ in range(_HALVINGS):
            for p, at, grad in zip(moved, start, grads, strict=True):
                torch.add(at, grad, alpha=-size, out=p)
            after = _evaluate(closure)
            if math.isfinite(after) and after <= loss - _SLOPE * size * squares:
                return size
            size /= 2
        for p, at in zip(moved, start, strict=True):
            p.copy_(at)
        return 0.0


def _evaluate(closure: Callable[[], float]) -> float:
    with torch.enable_grad():
        return float(closure())
