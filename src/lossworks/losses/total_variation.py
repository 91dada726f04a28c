"""Total variation: half the sum of the differences between the probabilities of scores and teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("total_variation", source="Wen et al. 2023, arXiv:2307.15190")
@dataclass(frozen=True, slots=True, kw_only=True)
class TotalVariation(CategoricalLoss):
    """Σ_v |p_v - q_v| / 2, with q the teacher's probabilities: the most by which an event's two probabilities differ, 0 to 1.

    Limit: a teacher that is sure of outcome y makes it 1 - p_y.
    Gradient into z: p (s - Σ p s) / 2, with s the sign of p - q; it vanishes where the scores are sure, right or wrong.
    """

    needs: ClassVar[str] = "teacher"

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.against_teacher(lambda own, teacher: (own.exp() - teacher.exp()).abs()) / 2
