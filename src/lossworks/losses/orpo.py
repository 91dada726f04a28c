"""Odds-ratio preference optimisation: likelihood and preference at once, without a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..core import domains
from .base import losses
from .preference import Pairs, PreferenceLoss

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("orpo", source="Hong et al. 2024, arXiv:2403.07691, eq. 6 and 7")
@dataclass(frozen=True, slots=True, kw_only=True)
class ORPO(PreferenceLoss):
    """-log P_c - strength · log σ(log odds(P_c) - log odds(P_r)), with odds(P) = P / (1 - P).

    log P is the average log-probability of the tokens of the chosen (c) and the rejected (r) answer; strength is the paper's λ.
    Domain: strength >= 0.  Limit: strength = 0 is the negative log-likelihood of the chosen answer, a token.
    """

    strength: float = 0.1

    def __post_init__(self) -> None:
        domains.nonnegative(self, "strength")

    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        chosen, rejected = pairs.per_token(pairs.chosen, pairs.rejected)
        return -chosen - self.strength * logsigmoid(_log_odds(chosen) - _log_odds(rejected))


def _log_odds(logp: Tensor) -> Tensor:
    """log p - log(1 - p), exact for p near 0 and near 1; where p is 1 as if it were a hair less."""
    sure = logp.clamp_max(-torch.finfo(logp.dtype).tiny)
    half = -math.log(2)
    near_one, below = (-sure.clamp_min(half).expm1()).log(), (-sure.clamp_max(half).exp()).log1p()
    return sure - torch.where(sure > half, near_one, below)
