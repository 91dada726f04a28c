"""Noise-contrastive estimation: tell data from noise, and the scores become normalised log-probabilities by themselves."""

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


@losses.add("nce", source="Gutmann & Hyvärinen 2012, JMLR 13:307, sec. 2; Mnih & Teh 2012, arXiv:1206.6426")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseContrastive(SampledLoss):
    """-log σ(z_y - log K q_y) - Σ_{noise i} log σ(log K q_i - z_i), with K = samples and q the proposal.

    σ(z - log K q) is the probability that an outcome came from the data, when K noise outcomes come with each of the data's and
    z is its log-probability. A draw that hits the target is noise like any other.
    Limit: as K grows the gradient is that of maximum likelihood. The minimum is where z = log p, normalised, at any K.
    """

    def values(self, candidates: Candidates) -> Float[Tensor, "*position"]:
        data = candidates.target - candidates.target_log_count
        noise = candidates.noise - candidates.noise_log_count
        return softplus(-data) + softplus(noise).sum(-1)
