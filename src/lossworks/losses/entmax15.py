"""1.5-entmax: between softmax and sparsemax; smooth, and still exactly 0 on improbable outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import CategoricalLoss, losses
from .newton import newton

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores

_STEPS = 8  # 7 were the most that 50 to 50,000 outcomes needed in float64


@losses.add("entmax15", source="Peters et al. 2019, arXiv:1905.05702; Blondel et al. 2020, arXiv:1901.02324")
@dataclass(frozen=True, slots=True, kw_only=True)
class Entmax15(CategoricalLoss):
    """min_τ (2τ + ⅔ Σ_v max(0, z_v/2 - τ)³) + 4/3 - z_y: the Fenchel-Young loss of p = entmax(z) = max(0, z/2 - τ)².

    That is the loss of Tsallis' entropy 4/3 (1 - Σ p^1.5), as cross-entropy is that of Shannon's.
    Limit: zero once the target leads every other outcome by 2; cross-entropy never is.
    Gradient into z: entmax(z) - e_y, bounded, and zero on every outcome that entmax rules out.
    """

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        sums = scores.sums_near(2.0)
        threshold = _threshold(scores, sums)
        (cubes,) = sums(lambda z, t: ((z - t).relu() ** 3,), threshold.unsqueeze(-1))
        return threshold + cubes / 12 + 4 / 3 - scores.logp


def _threshold(scores: Scores, sums: Callable[..., Sequence[Tensor]]) -> Float[Tensor, "*position"]:
    """2τ with Σ max(0, log p - 2τ)² = 4, by Newton's method on the root of the sum, which is convex in τ and nearly straight.

    Where the loss has its minimum in τ, the gradient needs τ alone; the last step, differentiable, is for the second derivative.
    """

    def step(threshold: Tensor) -> Tensor:
        derivative, squared = sums(_above, threshold.unsqueeze(-1))
        length = squared.sqrt()
        return threshold + (length - 2) * length / derivative

    return newton(scores, step, scores.top - 2, _STEPS)


def _above(z: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    above = (z - threshold).clamp_min_(0)
    return above.detach(), above.square()
