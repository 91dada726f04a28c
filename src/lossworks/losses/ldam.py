"""LDAM: rarer classes have to win by a wider margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import CategoricalLoss, losses
from .counts import check, known

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("ldam", source="Cao et al. 2019, arXiv:1906.07413, eq. 12 and 13")
@dataclass(frozen=True, slots=True, kw_only=True)
class LDAM(CategoricalLoss):
    """-log softmax(scale (z - Δ_y e_y))_y with Δ_v ∝ counts_v^(-1/4): cross-entropy that asks more for rarer targets.

    The rarest class's margin is ``max_margin``. The authors' logits are cosines, between -1 and 1, and their scale is 30.
    Domain: counts > 0, one a class, or () to be filled in from the training data; max_margin >= 0; scale > 0.
    Limit: max_margin = 0 is cross-entropy of scale · z.
    """

    counts: tuple[float, ...] = ()
    max_margin: float = 0.5
    scale: float = 1.0

    def __post_init__(self) -> None:
        check(self.counts)
        domains.nonnegative(self, "max_margin")
        domains.positive(self, "scale")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        counts = scores.of_classes(known(self.counts), "counts")
        margins = self.max_margin * (counts.min() / counts) ** 0.25
        return -scores.adjusted(scale=self.scale, margin=scores.at_target(margins)).logp
