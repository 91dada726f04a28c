"""The Jensen-Shannon divergence between scores and teacher, tilted towards either."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..core.errors import UsageError
from .base import losses
from .divergence import Divergence, log_odds


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

    def term(self, own: Tensor, teacher: Tensor) -> Tensor:
        value, _ = _Term.apply(own, teacher, self.beta)  # type: ignore[no-untyped-call]
        return value  # type: ignore[no-any-return]


class _Term(torch.autograd.Function):
    """beta q log(q / m) + (1 - beta) p log(p / m), and its gradient into log p, (1 - beta) p log(p / m): all else cancels."""

    generate_vmap_rule = True

    @staticmethod
    def forward(own: Tensor, teacher: Tensor, beta: float) -> tuple[Tensor, Tensor]:
        over = log_odds(teacher, own, beta)
        both = softplus(-over.abs(), threshold=40.0)
        grad = own.exp().mul_((-over).relu_().add_(both).add_(math.log1p(-beta))).mul_(beta - 1)
        teachers = teacher.exp().mul_(over.relu_().add_(both).add_(math.log(beta))).mul_(beta)
        return grad - teachers, grad

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: tuple[Tensor, Tensor]) -> None:
        own, teacher, ctx.beta = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(own, teacher, output[1])

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor, None, None]:
        own, teacher, grad = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            away = softplus(-log_odds(teacher, own, ctx.beta), threshold=40.0)
            grad = (ctx.beta - 1) * own.exp() * (math.log1p(-ctx.beta) + away)
        return grad_output[0] * grad, None, None
