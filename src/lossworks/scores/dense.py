"""Scores whose logits stand whole in memory."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from .base import Scores

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Dense(Scores):
    """Statistics by plain tensor operations; second derivatives and ``torch.func`` work.

    Half-precision logits are read in float32. The largest logit of each position is subtracted first, so that
    nothing overflows and a common shift costs no precision.
    """

    def __init__(self, logits: Float[Tensor, "*position V"], target: Int[Tensor, "*position"]) -> None:
        if logits.shape[:-1] != target.shape:
            raise UsageError(
                f"scores: got logits {tuple(logits.shape)} and target {tuple(target.shape)}. "
                "The target needs the logits' shape without their last axis."
            )
        if target.is_floating_point() or target.dtype == torch.bool:
            raise UsageError(f"scores: got a target of {target.dtype}. Give class numbers (torch.int64).")
        self._given = logits
        self.target = target
        self.classes = logits.shape[-1]

    @cached_property
    def logits(self) -> Float[Tensor, "*position V"]:
        half = self._given.dtype in (torch.float16, torch.bfloat16)
        return self._given.float() if half else self._given

    @cached_property
    def _peak(self) -> Float[Tensor, "*position 1"]:
        return self.logits.detach().amax(-1, keepdim=True)

    @cached_property
    def _log_probabilities(self) -> Float[Tensor, "*position V"]:
        return torch.log_softmax(self.logits - self._peak, -1)

    @cached_property
    def logp(self) -> Float[Tensor, "*position"]:
        return self.logp_of(self.target.unsqueeze(-1)).squeeze(-1)

    @cached_property
    def mean_logp(self) -> Float[Tensor, "*position"]:
        return self._log_probabilities.mean(-1)

    @cached_property
    def entropy(self) -> Float[Tensor, "*position"]:
        p = self._log_probabilities.exp()
        return -(p * self._log_probabilities.masked_fill(p == 0, 0.0)).sum(-1)  # 0 log 0 is 0

    @cached_property
    def logsumexp(self) -> Float[Tensor, "*position"]:
        return torch.logsumexp(self.logits, -1)

    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        squares = self._log_probabilities.exp().square()
        return squares.sum(-1) if weight is None else squares @ weight

    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        return self._log_probabilities.gather(-1, ids.long())

    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        return (q * self._log_probabilities.masked_fill(q == 0, 0.0)).sum(-1)  # an outcome that weighs nothing counts 0

    @cached_property
    def argmax(self) -> Int[Tensor, "*position"]:
        return self.logits.detach().argmax(-1)


def dense(logits: Float[Tensor, "*position V"], target: Int[Tensor, "*position"]) -> Dense:
    """Scores from whole logits.

    Raises:
        UsageError: the shapes do not fit, or the target is not whole numbers.
    """
    return Dense(logits, target)


def binary(logits: Float[Tensor, "*position"], target: Tensor) -> Dense:
    """Scores of outcomes that are (1) or are not (0), from one logit each: V = 2 with logits (0, z).

    The probability of 1 is sigmoid(z); cross-entropy over these scores is binary cross-entropy.
    """
    return Dense(torch.stack([torch.zeros_like(logits), logits], -1), target.long())
