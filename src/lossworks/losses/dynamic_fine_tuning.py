"""Dynamic fine-tuning: cross-entropy scaled by the probability itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import IMPOSSIBLE, CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("dynamic_fine_tuning", source="Wu et al. 2025, arXiv:2508.05629, eq. 9")
@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicFineTuning(CategoricalLoss):
    """-sg(p_y) log p_y, where no gradient flows through the factor sg(p_y).

    Gradient into z: p_y (p - e_y), that of 1 - p_y: tokens the model finds improbable hardly teach. The value is not what is
    descended, as the factor is held fixed: it falls on both sides of p = 1/e.
    """

    @property
    def descends_value(self) -> bool:
        return False

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return -scores.logp.detach().exp() * scores.logp.clamp_min(IMPOSSIBLE)
