"""Negative sampling: the target's logit up, a few random ones down; word2vec's loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import softplus

from ..scores.sampled import Candidates
from .base import losses
from .sampled import SampledLoss

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("negative_sampling", source="Mikolov et al. 2013, arXiv:1310.4546, eq. 4")
@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeSampling(SampledLoss):
    """-log σ(z_y) - Σ_{noise i ≠ y} log σ(-z_i), with as many noise outcomes as ``samples``.

    It learns vectors, not probabilities: its minimum is z = log p_i - log(K q_i (1 - p_i)), the pointwise mutual information
    with q less log K where p is small (Levy & Goldberg 2014, NeurIPS 27:2177, eq. 7).
    Limit: it is noise-contrastive estimation with K q = 1 for every outcome, but that draws that hit the target count nothing.
    """

    def values(self, candidates: Candidates) -> Float[Tensor, "*position"]:
        return softplus(-candidates.target) + softplus(candidates.noise).masked_fill(candidates.hits, 0.0).sum(-1)
