"""The Tversky loss: how far the labels of an example overlap with the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..core import domains
from ..core.errors import UsageError
from ..scores import Scores
from .base import BinaryLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@losses.add(
    "tversky",
    source="Salehi et al. 2017, arXiv:1706.05721, eq. 3; Dice: Milletari et al. 2016, arXiv:1606.04797, sec. 3, with p squared",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tversky(BinaryLoss):
    """1 - (both + s) / (both + alpha · only predicted + beta · only true + s), sums over the labels of an example.

    The labels of an example are the last axis of the positions. both = Σ p y, only predicted = Σ p (1 - y), only true =
    Σ (1 - p) y, with p the probability that a label is. The example's value, 0 to 1, is given to each of its labels, so that
    the mean over the labels is the example's value: here the positions of one example do not stand alone.
    Domain: alpha, beta >= 0, not both 0; smooth (s) > 0, which makes an example without labels 0 where none is predicted.
    Limit: alpha = beta = 0.5 is the Dice loss, alpha = beta = 1 the Jaccard loss; beta > alpha asks for recall.
    """

    alpha: float = 0.5
    beta: float = 0.5
    smooth: float = 1.0
    positions_interact: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (self.alpha >= 0 and self.beta >= 0 and 0 < self.alpha + self.beta < float("inf")):
            raise UsageError(f"alpha is {self.alpha}, beta {self.beta}; wanted finite numbers, none below 0 and not both 0.")
        domains.positive(self, "smooth")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        hit, miss = scores.logp.exp(), -scores.logp.expm1()  # the probability of the truth, and of the other
        there = scores.target == 1
        both = _over_labels(hit, there)
        only_predicted, only_true = _over_labels(miss, ~there), _over_labels(miss, there)
        lost = self.alpha * only_predicted + self.beta * only_true
        return (lost / (both + lost + self.smooth)).expand_as(hit)


def _over_labels(values: Float[Tensor, "*position"], counted: Bool[Tensor, "*position"]) -> Float[Tensor, "*_"]:
    return torch.where(counted, values, 0.0).sum(-1, keepdim=True)
