"""Log-likelihood: how probable the model made what was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import CategoricalLoss, RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("log_likelihood", source="Fisher 1922, Phil. Trans. A 222:309; Bishop 2006, eq. 1.54 and 4.108")
@dataclass(frozen=True, slots=True, kw_only=True)
class LogLikelihood(CategoricalLoss, RegressionLoss):
    """-log p(y): the negative log-likelihood of the outcome seen, in nats.

    Outcomes: -log p_y. It is cross-entropy against a target that puts everything on one outcome.
    Numbers: y is normal around the prediction with standard deviation ``scale``, so
    (y - ŷ)²/(2 scale²) + log(scale √(2π)).
    Domain: scale > 0.  Limit: scale = 1/√2 is the squared error plus a constant.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        domains.positive(self, "scale")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        return -scores.logp

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        return ((value - prediction) / self.scale).square() / 2 + math.log(self.scale * math.sqrt(2 * math.pi))
