"""The entropy of what the model says. A term to add to a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("entropy", source="Shannon 1948, Bell Syst. Tech. J. 27:379; as a penalty: Pereyra et al. 2017, arXiv:1701.06548")
@dataclass(frozen=True, slots=True, kw_only=True)
class Entropy(CategoricalLoss):
    """-Σ_v p_v log p_v, in nats, whatever the target.

    ``cross_entropy-0.1*entropy`` is the confidence penalty, which keeps the model unsure; a plus sign (entropy
    minimisation, for examples without labels) makes it surer.
    Gradient into z: -p (log p + entropy), zero where the model is sure and where it says nothing.
    """

    looks_at_target: ClassVar[bool] = False

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return scores.entropy
