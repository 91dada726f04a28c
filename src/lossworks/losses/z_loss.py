"""z-loss: keeps the log-normaliser near zero. A term to add to a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add(
    "z_loss", source="Devlin et al. 2014, ACL, doi:10.3115/v1/P14-1129; Chowdhery et al. 2022, PaLM, arXiv:2204.02311, sec. 5"
)
@dataclass(frozen=True, slots=True, kw_only=True)
class ZLoss(CategoricalLoss):
    """(log Σ exp z)²: says nothing of the target, and keeps the logits from drifting. As ``cross_entropy+1e-4*z_loss``.

    Gradient into z: 2 logsumexp(z) p.
    """

    looks_at_target: ClassVar[bool] = False

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.logsumexp.square()
