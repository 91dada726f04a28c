"""What the losses that compare with a teacher share: how scores and teacher reach the divergence, and its safe pieces.

p is what the scores say (the student), q the teacher. A divergence is Σ over the outcomes of a function of log p and log q.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ..core import domains
from ..core.errors import UsageError
from ..scores.counted import counted
from ..scores.teacher import TopK
from .base import CategoricalLoss

if TYPE_CHECKING:
    from jaxtyping import Float

    from ..scores import Scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence(CategoricalLoss, ABC):
    """T² Σ_v term(log p_v, log q_v), with p and q softened: their logits are divided by the temperature T.

    The factor T² keeps the gradient's size when T changes (Hinton et al. 2015, arXiv:1503.02531, sec. 2).
    """

    temperature: float = 1.0
    needs: ClassVar[str] = "teacher"

    def __post_init__(self) -> None:
        domains.positive(self, "temperature")

    @abstractmethod
    def sloped(self, own: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """What an outcome adds, from log p and log q, element by element; and what that grows by with log p."""

    def term(self, own: Tensor, teacher: Tensor) -> Tensor:
        """What an outcome adds, with a gradient into log p alone."""
        value, _ = _Term.apply(own, teacher, self)  # type: ignore[no-untyped-call]
        return value  # type: ignore[no-any-return]

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        if self.temperature == 1 or scores.teacher is None:
            return scores.against_teacher(self.term)
        if isinstance(scores.teacher, TopK):
            raise UsageError(
                f"temperature is {self.temperature}, and a top-k teacher cannot be softened: its rest is not known outcome by "
                "outcome. Use temperature=1, or give the teacher's scores whole."
            )
        scale = 1 / self.temperature
        return self.temperature**2 * scores.adjusted(scale=scale).sum(self.term, scores.teacher.adjusted(scale=scale))


class _Term(torch.autograd.Function):
    """The gradient is known with the value: half as many passes as to go back through what made it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(own: Tensor, teacher: Tensor, divergence: Divergence) -> tuple[Tensor, Tensor]:
        return divergence.sloped(own, teacher)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Divergence], output: tuple[Tensor, Tensor]) -> None:
        own, teacher, ctx.divergence = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(own, teacher, output[1])

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor | None) -> tuple[Tensor | None, None, None]:
        if grad_output[0] is None:
            return None, None, None
        own, teacher, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            _, slope = ctx.divergence.sloped(own, teacher)
        return grad_output[0] * slope, None, None


def compared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """e^a, and a - b, which counts as 0 where e^a is: 0 log 0 is 0. It is infinite where b alone is impossible."""
    weight = a.exp()
    one, other = counted(weight, a, b)
    return weight, one.sub_(other)


def mixture(a: Tensor, b: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """e^a, e^b, and share e^a + (1 - share) e^b, at the least the smallest normal number, so that its logarithm is finite."""
    one, other = a.exp(), b.exp()
    return one, other, other.lerp(one, share).clamp_min_(torch.finfo(a.dtype).tiny)


def log_ratio(a: Tensor, log_mixture: Tensor) -> Tensor:
    """a less the logarithm of a mixture, finite where e^a is 0, so that its product with that is 0."""
    return a.clamp_min(math.log(torch.finfo(a.dtype).tiny)) - log_mixture
