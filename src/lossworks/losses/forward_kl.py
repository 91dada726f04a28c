"""KL(teacher ‖ scores): what distillation classically makes small."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import losses
from .divergence import Divergence, compared


@losses.add("forward_kl", source="Hinton et al. 2015, arXiv:1503.02531, sec. 2")
@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardKL(Divergence):
    """T² Σ_v q_v (log q_v - log p_v), with q the teacher's probabilities and both softened by the temperature T.

    It covers: an outcome that the teacher finds possible must not be improbable. Infinite where such a one is impossible.
    Domain: temperature > 0; 1 with a top-k teacher.
    Limit: a teacher that is sure of one outcome makes it cross-entropy with that outcome.
    Gradient into z: T (p - q).
    """

    def sloped(self, own: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        weight, ratio = compared(teacher, own)
        return weight * ratio, -weight
