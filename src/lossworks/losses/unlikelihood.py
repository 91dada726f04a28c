"""Unlikelihood: what should be said, made probable; what should not, made improbable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..core import domains
from ..scores import Scores
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float

_HALF = -math.log(2)


@losses.add("unlikelihood", source="Welleck et al. 2020, arXiv:1908.04319, eq. 4")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unlikelihood(CategoricalLoss):
    """-log p_y - alpha Σ_c log(1 - p_c), over the negatives c of each position that are not its target.

    The paper's negatives are the earlier tokens of the text, against repetition. Read from ``scores.negatives``.
    Domain: alpha >= 0.  Limit: alpha = 0, or no negatives at a position, is cross-entropy.
    """

    alpha: float = 1.0
    needs: ClassVar[str] = "negatives"

    def __post_init__(self) -> None:
        domains.nonnegative(self, "alpha")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        logp, there = scores.logp_of_negatives()
        there = there & (scores.negatives != scores.target.unsqueeze(-1))
        likely = there & (logp >= _HALF)
        log_rest = (-logp.clamp_max(_HALF).exp()).log1p()
        if not scores.readable or bool(likely.any()):  # else a pass over all outcomes would be for nothing
            # p > 1/2 is the most probable outcome's alone: the others are summed, as 1 - p itself would cancel
            log_rest = torch.where(likely, scores.rest_logp.unsqueeze(-1), log_rest)
        pushed = torch.where(there, log_rest, 0.0).sum(-1)
        return -scores.logp - (self.alpha * pushed if self.alpha else 0.0)  # not 0 ∞
