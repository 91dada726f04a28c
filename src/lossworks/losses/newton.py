"""Newton's method for the one number a position that some losses solve for, such as a threshold or a normaliser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..scores import Scores


def newton(scores: Scores, step: Callable[[Tensor], Tensor], start: Tensor, steps: int, *, smooth: bool = False) -> Tensor:
    """``steps`` times ``step``, from ``start``; the last of them is differentiated: at the root the others tell nothing.

    The losses that use it have a gradient that needs the root alone, so that the last step serves second derivatives. Scores that
    have none go without, and stop once no position moves by more than roundings; where the sums are ``smooth`` by more than
    the root of one, for then the step that moved so little has squared what was left.
    """
    with torch.no_grad():
        for _ in range(steps - 1):
            start, before = step(start), start
            if scores.readable and _still(start, before, smooth):
                return start
    return start.detach() if scores.single_use else step(start.detach())


def _still(now: Tensor, before: Tensor, smooth: bool) -> bool:
    rounding = torch.finfo(now.dtype).eps
    most = rounding**0.5 / 4 if smooth else 4 * rounding
    return bool(((now - before).abs() <= most * (1 + now.abs())).all())
