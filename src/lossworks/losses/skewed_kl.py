"""KL divergence from a mixture of teacher and scores: never infinite, and gentle where the two differ much."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..core.errors import UsageError
from .base import losses
from .divergence import Divergence, log_ratio, mixture


@losses.add("skewed_kl", source="Ko et al. 2024, arXiv:2402.03898, sec. 3.1")
@dataclass(frozen=True, slots=True, kw_only=True)
class SkewedKL(Divergence):
    """T² KL(q ‖ alpha q + (1 - alpha) p), with q the teacher's probabilities and both softened by the temperature T.

    With ``reverse`` it is T² KL(p ‖ alpha p + (1 - alpha) q). Either is at most -T² log alpha.
    Domain: 0 < alpha < 1; temperature > 0, and 1 with a top-k teacher.
    Limit: alpha to 0 is the forward, with ``reverse`` the reverse KL divergence.
    """

    alpha: float = 0.1
    reverse: bool = False

    def __post_init__(self) -> None:
        Divergence.__post_init__(self)
        if not 0 < self.alpha < 1:
            raise UsageError(f"alpha is {self.alpha}; wanted more than 0 and less than 1. For 0, use forward_kl or reverse_kl.")

    def sloped(self, own: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (own, teacher) if self.reverse else (teacher, own)
        one, other, mixed = mixture(a, b, self.alpha)
        value = log_ratio(a, mixed.log()).mul_(one)
        both = (other / mixed).mul_(one).mul_(1 - self.alpha)
        return value, value + both if self.reverse else -both
