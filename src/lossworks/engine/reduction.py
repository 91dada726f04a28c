"""How the losses of a step become the one number whose gradient moves the weights. The only place that divides a loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

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

    @property
    def is_mean(self) -> bool:
        """Whether each micro-batch is done with at once."""
        return isinstance(self.risk, Mean)

    def slopes(self, losses: Losses) -> tuple[float, Tensor]:
        """The risk of all losses of a step, whose graph is not looked at, and its derivative by each."""
        values = losses.values.detach().requires_grad_()
        groups = losses.groups if self.risk.grouped else None
        risk, self.state = self.risk.combine(values, losses.weight, groups, self.state)
        (slopes,) = torch.autograd.grad(risk, values)
        return risk.item(), slopes


def together(losses: Sequence[Losses], *, exact: bool = False) -> Losses:
    """Losses one after another, without their graphs; ``exact``: in float64, whatever they were in."""
    groups = [each.groups for each in losses if each.groups is not None]
    values, weight = (torch.cat([getattr(each, name).detach() for each in losses]) for name in ("values", "weight"))
    if exact:
        values, weight = values.double(), weight.double()
    return Losses(values, weight, torch.cat(groups) if groups else None)
