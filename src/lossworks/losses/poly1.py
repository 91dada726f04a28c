"""Poly-1: cross-entropy with another first coefficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("poly1", source="Leng et al. 2022, PolyLoss, arXiv:2204.12511")
@dataclass(frozen=True, slots=True, kw_only=True)
class Poly1(CategoricalLoss):
    """-log p_y + epsilon (1 - p_y): cross-entropy is Σ_j (1 - p)^j / j, and here the first term weighs 1 + epsilon.

    Domain: epsilon >= -1, so that no coefficient is negative.
    Limit: epsilon = 0 is cross-entropy.
    Gradient into z: that of cross-entropy times 1 + epsilon p, so epsilon > 0 goes on teaching what is nearly learned.
    """

    epsilon: float = 1.0

    def __post_init__(self) -> None:
        domains.least(self, -1, "epsilon")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return -scores.logp - self.epsilon * scores.logp.expm1()
