"""Group distributionally robust optimisation: groups that do badly come to weigh more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core import domains
from ..core.errors import UsageError
from .base import Risk, group_means, risks


@risks.add("group_dro", source="Sagawa et al. 2020, ICLR, arXiv:1911.08731, algorithm 1, over all groups of a batch at once")
@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDRO(Risk):
    """Σ_g q_g L_g, L_g the mean of group g and q_g ∝ exp(step · the L_g of all steps so far): exponentiated-gradient ascent.

    A group that is missing from a step keeps what it has gathered, and adds nothing.
    Domain: step >= 0.  Limits: step = 0 is the mean of the groups' means, step → ∞ the group with the largest sum of means
    (at the first step: the worst group). Gradient: q is held fixed, so it is q_g times that of L_g.
    """

    step: float = 0.01
    grouped: ClassVar[bool] = True

    def __post_init__(self) -> None:
        domains.nonnegative(self, "step")

    def start(self, groups: int) -> Tensor:
        return torch.zeros(groups, dtype=torch.float64)

    def of(self, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if not len(state):
            raise UsageError(
                "group_dro remembers how each group does. Give state=risk.start(number of groups) at the first step."
            )
        means, _ = group_means(values, weight, groups, len(state))
        gathered = state + self.step * means.detach()
        return (gathered.softmax(0) * means).sum(), gathered
