"""The asymmetric loss: what is and what is not are focused apart, and easy negatives are let go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core import domains
from ..core.errors import UsageError
from ..scores import Scores
from .base import BinaryLoss, losses
from .focal import focused

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("asymmetric", source="Ridnik et al. 2021, ICCV, arXiv:2009.14119")
@dataclass(frozen=True, slots=True, kw_only=True)
class Asymmetric(BinaryLoss):
    """-(1 - p)^γ₊ log p where the label is, -m^γ₋ log(1 - m) where it is not, with p its probability and m = max(p - clip, 0).

    For many labels of which few apply: gamma_negative > gamma_positive makes the many easy negatives weigh less, and those
    whose probability is below ``clip`` weigh nothing.
    Domain: gamma_positive, gamma_negative >= 0; 0 <= clip < 1.
    Limit: both gammas 0 and clip 0 is binary cross-entropy; equal gammas and clip 0 is the focal loss.
    """

    gamma_positive: float = 0.0
    gamma_negative: float = 4.0
    clip: float = 0.05

    def __post_init__(self) -> None:
        domains.nonnegative(self, "gamma_positive", "gamma_negative")
        if not 0 <= self.clip < 1:
            raise UsageError(f"clip is {self.clip}; wanted 0 or more and less than 1.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        there = scores.target == 1
        logp = scores.logp
        if self.clip:  # the probability that it is not, raised by clip
            raised = torch.logaddexp(logp, torch.full_like(logp, math.log(self.clip))).clamp_max(0)
            logp = torch.where(there, logp, raised)
        miss = (-logp.expm1()).clamp_min(1e-12)  # keeps the gradient finite when a gamma is below 1
        return -focused(torch.where(there, miss**self.gamma_positive, miss**self.gamma_negative), logp)
