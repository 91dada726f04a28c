"""Cross-entropy against a whole distribution, the teacher's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..scores.counted import counted
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("soft_targets", source="Hinton et al. 2015, arXiv:1503.02531, sec. 2")
@dataclass(frozen=True, slots=True, kw_only=True)
class SoftTargets(CategoricalLoss):
    """-Σ_v q_v log p_v, with q what ``scores.teacher`` says; the target itself is not read.

    A teacher of k outcomes is compared on those and on all the rest as one.
    Limit: a teacher sure of the target is cross-entropy. The least value is the teacher's entropy, reached at p = q.
    Gradient into z: p - q.
    """

    needs: ClassVar[str] = "teacher"

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.against_teacher(_surprise)


def _surprise(logp: Tensor, logq: Tensor) -> Tensor:
    q = logq.exp()
    return -q * counted(q, logp)[0]  # 0 log 0 is 0
