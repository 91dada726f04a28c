"""Newton's method for the one number a position that some losses solve for, such as a threshold or a normaliser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def newton(step: Callable[[Tensor], Tensor], start: Tensor, steps: int, *, differentiable: int = 1) -> Tensor:
    """``steps`` times ``step``, from ``start``; only the last few are differentiated: at the root the others tell nothing."""
    with torch.no_grad():
        for _ in range(steps - differentiable):
            start = step(start)
    start = start.detach()
    for _ in range(differentiable):
        start = step(start)
    return start
