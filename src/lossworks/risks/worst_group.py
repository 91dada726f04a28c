"""The worst group: the largest of the groups' means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .base import Risk, group_means, risks


@risks.add("worst_group", source="Sagawa et al. 2020, ICLR, arXiv:1911.08731: the aim of group DRO, over the groups of a batch")
@dataclass(frozen=True, slots=True, kw_only=True)
class WorstGroup(Risk):
    """max_g L_g, with L_g the weighted mean of group g; groups that weigh nothing are not there.

    Limits: one group is the mean, a group for each position the worst value.
    Gradient: that of the worst group's mean alone; of several as bad, one's.
    """

    grouped: ClassVar[bool] = True

    def of(self, values: Tensor, weight: Tensor, groups: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        order = groups.argsort(stable=True)
        # Numbers without gaps, so that there are no more groups than positions whatever they are called.
        first = torch.zeros_like(groups[order], dtype=torch.int64)
        first[1:] = (groups[order].diff() != 0).long()
        means, weights = group_means(values[order], weight[order], first.cumsum(0), len(values))
        seen = torch.where(weights > 0, means, -torch.inf)
        worst = torch.cat([seen, seen.new_full((1,), -torch.inf)]).max(0).values  # none at all is allowed
        return torch.where((weights > 0).any(), worst, 0.0), state
