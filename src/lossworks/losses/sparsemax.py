"""Sparsemax: like softmax cross-entropy, but the distribution it fits gives improbable outcomes exactly 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..scores import Scores
from .base import CategoricalLoss, losses
from .newton import newton

if TYPE_CHECKING:
    from jaxtyping import Float

_STEPS = 12  # 11 were the most that 50 to 50,000 outcomes needed in float64


@losses.add("sparsemax", source="Martins & Astudillo 2016, arXiv:1602.02068; Blondel et al. 2020, arXiv:1901.02324")
@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsemax(CategoricalLoss):
    """min_τ (τ + ½ Σ_v max(0, z_v - τ)²) + ½ - z_y: the Fenchel-Young loss of ½ |p|², of p = sparsemax(z) = max(0, z - τ).

    Limit: zero once the target leads every other outcome by 1, as a hinge loss is; quadratic near that point, and beyond it
    growing like a logit. Over two outcomes it is the modified Huber loss.
    Gradient into z: sparsemax(z) - e_y, bounded, and zero on every outcome that sparsemax rules out.
    """

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        sums = scores.sums_near(1.0)
        threshold = _threshold(scores, sums)
        (squares,) = sums(lambda z, t: ((z - t).relu().square(),), threshold.unsqueeze(-1))
        return threshold + squares / 2 + 0.5 - scores.logp


def _threshold(scores: Scores, sums: Callable[..., Sequence[Tensor]]) -> Float[Tensor, "*position"]:
    """τ with Σ max(0, log p - τ) = 1, by Newton's method; the sum is convex in τ, so from the left no step passes the root.

    Where the loss has its minimum in τ, the gradient needs τ alone; the last step, differentiable, is for the second derivative.
    """

    def step(threshold: Tensor) -> Tensor:
        total, support = sums(_above, threshold.unsqueeze(-1))
        return threshold + (total - 1) / support

    every = scores.mean_logp.detach() - 1 / scores.classes  # where the sum is 1 if no outcome is ruled out, and else more
    return newton(scores, step, torch.maximum(scores.top - 1, every), _STEPS)


def _above(z: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    above = (z - threshold).clamp_min_(0)
    return above, above.detach().sign()
