"""Generalised cross-entropy: between cross-entropy and absolute error, for labels that are sometimes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("generalized_cross_entropy", source="Zhang & Sabuncu 2018, arXiv:1805.07836, eq. 6")
@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralizedCrossEntropy(CategoricalLoss):
    """(1 - p_y^q) / q: a Box-Cox transform, at most 1/q, so that a wrong label costs no more than that.

    Domain: 0 <= q <= 1.
    Limit: q = 0 is cross-entropy, q = 1 is 1 - p_y, half the absolute error Σ |p - y|.
    Gradient into z: that of cross-entropy times p^q, which vanishes where the label looks impossible.
    """

    q: float = 0.7

    def __post_init__(self) -> None:
        domains.fraction(self, "q")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return -scores.logp if self.q == 0 else -(self.q * scores.logp).expm1() / self.q
