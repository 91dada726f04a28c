"""KL(scores ‖ teacher): the student keeps to what the teacher finds probable."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from .base import losses
from .divergence import Divergence, compared


@losses.add("reverse_kl", source="Gu et al. 2024, arXiv:2306.08543, eq. 1")
@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseKL(Divergence):
    """T² Σ_v p_v (log p_v - log q_v), with q the teacher's probabilities and both softened by the temperature T.

    It seeks a mode: what the teacher finds improbable must be improbable, and some of what it finds probable may be left out.
    Infinite where the scores allow what the teacher rules out.
    Domain: temperature > 0; 1 with a top-k teacher.
    Limit: a uniform teacher makes it log V less the entropy.
    Gradient into z: T p (log p - log q - Σ p (log p - log q)).
    """

    def sloped(self, own: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        weight, ratio = compared(own, teacher)
        near = ratio.nan_to_num(math.nan, -1.0)  # infinite without a slope, which would be no number
        return ratio * weight, near.mul_(weight).add_(weight)
