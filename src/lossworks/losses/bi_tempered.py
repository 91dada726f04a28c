"""Bi-tempered logistic loss: cross-entropy with a bounded logarithm and a heavy-tailed softmax, for wrong labels and outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core import domains
from ..scores import Scores
from .base import CategoricalLoss, losses
from .newton import newton

if TYPE_CHECKING:
    from jaxtyping import Float

_NEAR = 1.1  # up to here the powers need log1p
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
        domains.fraction(self, "t1", "label_smoothing")
        domains.least(self, 1, "t2")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        elsewhere = self.label_smoothing / scores.classes
        target = 1 - self.label_smoothing + elsewhere
        shift = self._normaliser(scores)
        own = self._log_exp(scores.logp - shift)
        sums = scores.sums(lambda z, shift: _Each.apply(z - shift, self, elsewhere), shift.unsqueeze(-1))  # type: ignore[no-untyped-call]
        cost, total, fall, drop = sums
        least = self._of_target(target) + (scores.classes - 1) * self._of_target(elsewhere)
        value = cost / (2 - self.t1) - (target - elsewhere) * self._log(own) + least
        if self.t2 == 1:
            return value
        growth = (target - elsewhere) * self._power(own.detach(), self.t2 - self.t1) - drop
        return value + growth / fall * (total - 1)

    def each(self, z: Tensor, elsewhere: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What an outcome costs, times 2 - t1, and p; by how much p and the cost (less that factor) fall with a normaliser λ.

        Σ p is 1, and what the costs grow by for each unit that it falls by is Lagrange's multiplier of that: with it the value
        does not change to first order with λ, so that its gradient needs λ alone, and not how λ changes with z.
        """
        logp, base = self._log_base(z * (1 - self.t2)) if self.t2 != 1 else (z, None)
        p, rest = logp.exp(), self._power(logp, 1 - self.t1)
        fall = p.clone() if base is None else p / base  # torch.compile wants each output once
        cost, drop = p * rest, rest * fall
        if elsewhere:
            cost = cost - (2 - self.t1) * elsewhere * self._log(logp)
            drop = drop - elsewhere * self._power(logp, self.t2 - self.t1)
        return cost, p, fall, drop

    @staticmethod
    def _power(logp: Tensor, power: float) -> Tensor:
        """p to a power that may be 0."""
        return (power * logp).exp_() if power else torch.ones_like(logp)

    def _log(self, logp: Tensor) -> Tensor:
        """log_t1 of a probability whose logarithm is ``logp``."""
        return logp if self.t1 == 1 else ((1 - self.t1) * logp).expm1() / (1 - self.t1)

    def _log_exp(self, z: Tensor) -> Tensor:
        """log exp_t2(z), for z that are not above 0."""
        return z if self.t2 == 1 else ((1 - self.t2) * z).log1p() / (1 - self.t2)

    def _log_base(self, over: Tensor) -> tuple[Tensor, Tensor]:
        """log exp_t2 where 1 + ``over``, which may be overwritten, is what it is a power of, and that.

        A logarithm is twice as fast as log1p, and as exact unless t2 is near 1.
        """
        log, base = (over.log1p(), over + 1) if self.t2 < _NEAR else ((base := over.add_(1)).log(), base)
        return log.div_(1 - self.t2), base

    def _of_target(self, y: float) -> float:
        """y log_t1 y - y^(2-t1) / (2 - t1), what the value holds of the target alone."""
        if y == 0:
            return 0.0
        log: float = math.log(y) if self.t1 == 1 else math.expm1((1 - self.t1) * math.log(y)) / (1 - self.t1)
        return y * log - math.pow(y, 2 - self.t1) / (2 - self.t1)

    def _normaliser(self, scores: Scores) -> Float[Tensor, "*position"]:
        """λ, to be taken from the log-probabilities, with Σ exp_t2(log p - λ) = 1.

        Newton's method on S^(1-t2), which is concave in λ, and straight for equal logits, so that from where the sum S is 1 or
        more no step passes the root: from the largest log-probability, or from where S would be 1 if all were their mean.
        """
        if self.t2 == 1:
            return torch.zeros_like(scores.logp)
        heat = self.t2 - 1
        equal = scores.mean_logp.detach() + math.expm1(heat * math.log(scores.classes)) / heat

        def step(shift: Tensor) -> Tensor:
            total, derivative = scores.sums(self._powers, shift.unsqueeze(-1))
            return shift + total / derivative * (heat * total.log()).expm1() / heat

        return newton(scores, step, torch.maximum(scores.top, equal), _STEPS, smooth=True)

    def _powers(self, z: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """exp_t2(z - λ), and what it falls by as λ grows: its power t2."""
        logp, base = self._log_base((shift - z).mul_(self.t2 - 1))
        p = logp.exp_()
        return p, p / base


class _Each(torch.autograd.Function):
    """An outcome's costs and p, whose gradient into its z is what else is known of it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, loss: BiTempered, elsewhere: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return loss.each(z, elsewhere)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, BiTempered, float], output: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        z, ctx.loss, ctx.elsewhere = inputs
        _, _, fall, drop = output
        ctx.mark_non_differentiable(fall, drop)
        ctx.save_for_backward(z, fall, drop)

    @staticmethod
    def backward(ctx: Any, by_cost: Tensor, by_p: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:
        z, fall, drop = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            _, _, fall, drop = ctx.loss.each(z, ctx.elsewhere)
        return torch.addcmul((drop * by_cost).mul_(2 - ctx.loss.t1), fall, by_p), None, None
