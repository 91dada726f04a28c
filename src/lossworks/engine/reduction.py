"""How the losses of a step become the one number whose gradient moves the weights. The only place that divides a loss."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ..risks import Risk
from ..risks.mean import Mean
from .objective import Losses


class Reduction:
    """The risk of each step, and its gradient.

    The mean of a step is the sum of its micro-batches' shares, so each is done with at once. Any other risk needs all losses of
    the step together, and what their gradients need stands in memory until then.
    """

    def __init__(self, risk: Risk, groups: int = 0) -> None:
        self.risk = risk
        self.state = risk.start(groups)
        self._waiting: list[Losses] = []

    @property
    def is_mean(self) -> bool:
        """Whether each micro-batch is done with at once."""
        return isinstance(self.risk, Mean)

    def add(self, losses: Losses, total: float, agreed: Callable[[float], float] = float) -> float:
        """Take a micro-batch's losses, in a step that weighs ``total``. Returns Σ weight · loss; if that is not finite, stop.

        ``agreed`` makes it what all processes go by.
        """
        summed = (losses.values * losses.weight).sum()
        amount = agreed(summed.item())
        if not math.isfinite(amount):
            self.reset()
        elif self.is_mean:
            (summed / total).backward()  # type: ignore[no-untyped-call]
        else:
            self._waiting.append(losses)
        return amount

    def reset(self) -> None:
        """Leave out what was added since the last step."""
        self._waiting.clear()

    def finish(self) -> float | None:
        """The gradient of the step's losses that wait for it, and their risk; None where none wait."""
        if not self._waiting:
            return None
        waiting, self._waiting = self._waiting, []
        values, weight = (torch.cat([getattr(each, name) for each in waiting]) for name in ("values", "weight"))
        groups = [each.groups for each in waiting if each.groups is not None] if self.risk.grouped else []
        risk, self.state = self.risk.combine(values, weight, torch.cat(groups) if groups else None, self.state)
        risk.backward()  # type: ignore[no-untyped-call]
        return risk.item()
