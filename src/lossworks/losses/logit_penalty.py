"""Logit penalty: keeps every logit near zero. A term to add to a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..scores.counted import possible
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("logit_penalty", source="Kornblith et al. 2021, arXiv:2010.16402, sec. 2")
@dataclass(frozen=True, slots=True, kw_only=True)
class LogitPenalty(CategoricalLoss):
    """(1/V) Σ_v z_v², whatever the target; an impossible outcome (z = -inf) counts 0.

    The paper adds a multiple of the sum, not of the mean, to cross-entropy; here: ``cross_entropy+0.01*logit_penalty``.
    Gradient into z: 2 z / V.
    """

    looks_at_target: ClassVar[bool] = False

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.sum(_square, scores.logsumexp.unsqueeze(-1)) / scores.classes


def _square(logp: Tensor, logsumexp: Tensor) -> Tensor:
    """z², as z is log p + logsumexp."""
    z = possible(logp + logsumexp, 0.0)
    return z * z
