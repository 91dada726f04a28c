"""The Jensen-Shannon divergence between scores and teacher, tilted towards either."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..core.errors import UsageError
from .base import losses
from .divergence import Divergence, log_ratio, mixture


@losses.add("jensen_shannon", source="Lin 1991, IEEE Trans. Inf. Theory 37:145; Agarwal et al. 2024, arXiv:2306.13649, eq. 1")
@dataclass(frozen=True, slots=True, kw_only=True)
class JensenShannon(Divergence):
    """T² (beta KL(q ‖ m) + (1 - beta) KL(p ‖ m)), with m = beta q + (1 - beta) p and q the teacher's probabilities.

    Both are softened by the temperature T. At most T² times the entropy of a coin with chance beta: log 2 nats at 0.5.
    Domain: 0 < beta < 1; temperature > 0, and 1 with a top-k teacher.
    Limit: beta = 0.5 is the Jensen-Shannon divergence; divided by beta it goes to the forward KL divergence as beta goes to 0,
    divided by 1 - beta to the reverse one as beta goes to 1.
    """

    beta: float = 0.5

    def __post_init__(self) -> None:
        Divergence.__post_init__(self)
        if not 0 < self.beta < 1:
            raise UsageError(
                f"beta is {self.beta}; wanted more than 0 and less than 1. At the ends, use forward_kl or reverse_kl."
            )

    def sloped(self, own: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        teachers, p, mixed = mixture(teacher, own, self.beta)
        log_mixture = mixed.log()
        slope = log_ratio(own, log_mixture).mul_(p).mul_(1 - self.beta)
        return log_ratio(teacher, log_mixture).mul_(teachers).mul_(self.beta).add_(slope), slope
