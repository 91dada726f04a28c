"""L-BFGS: steps from the curvature that past steps have met."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...core.errors import Diverged
from ..base import Group, Optimizer, optimizers


@optimizers.add(
    "lbfgs", source="Liu & Nocedal 1989, Math. Program. 45:503, algorithm 2.1; line search: Nocedal & Wright 2006, 3.5"
)
@dataclass(frozen=True, kw_only=True)
class LBFGS(Optimizer):
    """w ← w - t · H g, with H the inverse curvature that the last ``history`` steps have met, and t found by a line search.

    A step is up to ``iterations`` of these, on all examples at once; each evaluates the loss and its gradient about once.
    With line_search, t meets the strong Wolfe conditions and lr is where the search starts; without, t is lr.
    Domain: lr > 0, history >= 1, iterations >= 1; no weight_decay, and a penalty must be smooth.
    """

    lr: float = 1.0
    history: int = 10
    iterations: int = 20
    line_search: bool = True
    full_batch: ClassVar[bool] = True
    counts = ("history", "iterations")

    @property
    def needs_closure(self) -> bool:
        return True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _TurnsBack(
            [p for group in groups for p in group["params"]],  # one curvature of all together
            lr=self.lr,
            max_iter=self.iterations,
            history_size=self.history,
            line_search_fn="strong_wolfe" if self.line_search else None,
        )


class _TurnsBack(torch.optim.LBFGS):
    """PyTorch's, whose search turns back from what is very high, but cannot reckon with what is no number."""

    def step(self, closure: Callable[[], float | Tensor]) -> Any:  # type: ignore[override]
        evaluations = 0

        def finite() -> float | Tensor:
            nonlocal evaluations
            found, evaluations = closure(), evaluations + 1
            loss = found.detach() if isinstance(found, Tensor) else found  # else PyTorch warns where it reads it
            if math.isfinite(float(loss)):
                return loss
            if evaluations == 1:
                raise Diverged(f"the loss that the search would start from is {loss}. The weights were not updated.")
            self.zero_grad()
            return _FAR

        return super().step(finite)  # type: ignore[no-untyped-call]


_FAR = 1e30
