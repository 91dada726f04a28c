"""Bi-tempered logistic loss: cross-entropy with a bounded logarithm and a heavy-tailed softmax, for wrong labels and outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores import Scores
from .base import CategoricalLoss, losses
from .newton import newton

if TYPE_CHECKING:
    from jaxtyping import Float

_STEPS = 7  # 6 were the most that 50 to 50,000 outcomes needed in float64


@losses.add("bi_tempered", source="Amid et al. 2019, arXiv:1906.03361")
@dataclass(frozen=True, slots=True, kw_only=True)
class BiTempered(CategoricalLoss):
    """Σ_v y_v (log_t1 y_v - log_t1 p_v) - (y_v^(2-t1) - p_v^(2-t1)) / (2 - t1), with p_v = exp_t2(z_v - λ) and Σ p = 1.

    log_t(x) = (x^(1-t) - 1) / (1 - t) and its inverse exp_t are the tempered logarithm and exponential; y is the smoothed target.
    Domain: 0 <= t1 <= 1 <= t2 < ∞; 0 <= label_smoothing <= 1.
    Limit: t1 = t2 = 1 is cross-entropy, less the entropy of the smoothed target. t1 < 1 bounds the loss; t2 > 1 gives outliers
    more room, as p falls with a power of z.
    """

    t1: float = 0.8
    t2: float = 1.2
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.t1 <= 1:
            raise UsageError(f"t1 is {self.t1}; wanted 0 to 1.")
        if not 1 <= self.t2 < float("inf"):
            raise UsageError(f"t2 is {self.t2}; wanted a finite number, at least 1.")
        if not 0 <= self.label_smoothing <= 1:
            raise UsageError(f"label_smoothing is {self.label_smoothing}; wanted 0 to 1.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        elsewhere = self.label_smoothing / scores.classes
        target = 1 - self.label_smoothing + elsewhere
        shift = self._normaliser(scores)

        def each(z: Tensor, shift: Tensor) -> Tensor:
            logp = self._log_exp(z - shift)
            spread = ((2 - self.t1) * logp).exp() / (2 - self.t1)
            return spread - elsewhere * self._log(logp) if elsewhere else spread

        own = self._log(self._log_exp(scores.logp - shift))
        least = self._of_target(target) + (scores.classes - 1) * self._of_target(elsewhere)
        return scores.sum(each, shift.unsqueeze(-1)) - (target - elsewhere) * own + least

    def _log(self, logp: Tensor) -> Tensor:
        """log_t1 of a probability whose logarithm is ``logp``."""
        return logp if self.t1 == 1 else ((1 - self.t1) * logp).expm1() / (1 - self.t1)

    def _log_exp(self, z: Tensor) -> Tensor:
        """log exp_t2(z), for z that are not above 0."""
        return z if self.t2 == 1 else -((1 - self.t2) * z).log1p() / (self.t2 - 1)

    def _of_target(self, y: float) -> float:
        """y log_t1 y - y^(2-t1) / (2 - t1), what the value holds of the target alone."""
        if y == 0:
            return 0.0
        log: float = math.log(y) if self.t1 == 1 else math.expm1((1 - self.t1) * math.log(y)) / (1 - self.t1)
        return y * log - math.pow(y, 2 - self.t1) / (2 - self.t1)

    def _normaliser(self, scores: Scores) -> Float[Tensor, "*position"]:
        """λ, to be taken from the log-probabilities, with Σ exp_t2(log p - λ) = 1.

        Newton's method, from the largest log-probability, where the sum S is at least 1. S^(1-t2) is concave in λ, and
        straight for equal logits, so no step passes the root. The last two steps are differentiable: each doubles
        the order of the derivatives that are right.
        """
        if self.t2 == 1:
            return torch.zeros_like(scores.logp)
        start = scores.logp_of(scores.argmax.unsqueeze(-1)).squeeze(-1)
        return newton(lambda shift: self._step(scores, shift), start, _STEPS, differentiable=2)

    def _step(self, scores: Scores, shift: Tensor) -> Tensor:
        heat = self.t2 - 1
        total, slope = scores.sums(self._powers, shift.unsqueeze(-1))
        return shift + total / slope * (heat * total.log()).expm1() / heat

    def _powers(self, z: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """exp_t2(z - λ), and what it falls by as λ grows: its power t2."""
        heat = self.t2 - 1
        over = heat * (shift - z)
        p = (over.log1p() / -heat).exp()
        return p, p / (1 + over)
