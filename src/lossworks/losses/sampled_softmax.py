"""Sampled softmax: cross-entropy with the normaliser estimated from a few outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..scores.sampled import Candidates
from .base import losses
from .sampled import SampledLoss

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("sampled_softmax", source="Bengio & Senécal 2008, IEEE Trans. NN 19:713; Jean et al. 2015, arXiv:1412.2007, sec. 3")
@dataclass(frozen=True, slots=True, kw_only=True)
class SampledSoftmax(SampledLoss):
    """-z_y + log(exp z_y + Σ_{noise i ≠ y} exp(z_i) / (K q_i)), with K = samples and q the proposal.

    The sum estimates the normaliser without bias; its logarithm is too small by about var / (2 mean²), which falls with 1/K.
    Limit: as K grows it is cross-entropy; with every outcome as noise once, it is so exactly.
    Gradient into z: p̂ - e_y, where p̂ is the softmax over target and noise.
    """

    def values(self, candidates: Candidates) -> Float[Tensor, "*position"]:
        return -candidates.scores().logp
