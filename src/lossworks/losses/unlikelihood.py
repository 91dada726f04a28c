"""Unlikelihood: what should be said, made probable; what should not, made improbable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..core import domains
from ..scores import Scores
from .base import CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float

_HALF = -math.log(2)


@losses.add("unlikelihood", source="Welleck et al. 2020, arXiv:1908.04319, eq. 4")
@dataclass(frozen=True, slots=True, kw_only=True)
class Unlikelihood(CategoricalLoss):
    """-log p_y - alpha Σ_c log(1 - p_c), over the negatives c of each position that are not its target.

    The paper's negatives are the earlier tokens of the text, against repetition. Read from ``scores.negatives``.
    Domain: alpha >= 0.  Limit: alpha = 0, or no negatives at a position, is cross-entropy.
    """

    alpha: float = 1.0
    needs: ClassVar[str] = "negatives"

    def __post_init__(self) -> None:
        domains.nonnegative(self, "alpha")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        logp, there = scores.logp_of_negatives()
        there = there & (scores.negatives != scores.target.unsqueeze(-1))
        likely = there & (logp >= _HALF)
        log_rest = (-logp.clamp_max(_HALF).exp()).log1p()
        if not scores.readable or bool(likely.any()):  # else a pass over all outcomes would be for nothing
            log_rest = torch.where(likely, _log_rest_of_likely(scores).unsqueeze(-1), log_rest)
        return -scores.logp - self.alpha * torch.where(there, log_rest, 0.0).sum(-1)


def _log_rest_of_likely(scores: Scores) -> Float[Tensor, "*position"]:
    """log(1 - p) for the outcome with p > 1/2, if there is one: the sum of all the others, as 1 - p itself would cancel.

    Where even the sum underflows, the target's own p, which is part of it, stands for it: right up to log V nats.
    """
    rest = scores.sum(lambda logp: (-torch.threshold(-logp, -_HALF, math.inf)).exp())
    tiny = torch.finfo(rest.dtype).tiny
    return torch.where(rest > tiny, rest.clamp_min(tiny).log(), scores.logp)
