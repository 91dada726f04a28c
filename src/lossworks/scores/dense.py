"""Scores whose logits stand whole in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from .base import Scores, flat, upcast
from .counted import counted, log_of_any, possible

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from .teacher import Teacher


class Dense(Scores):
    """Statistics by plain tensor operations; second derivatives and ``torch.func`` work.

    Half-precision logits are read in float32. The largest logit of each position is subtracted first, so that
    nothing overflows and a common shift costs no precision. A statistic is computed once and kept, with its gradient also
    where it is first read under ``no_grad``.
    """

    def __init__(
        self,
        logits: Float[Tensor, "*position V"],
        target: Int[Tensor, "*position"],
        teacher: Teacher | None = None,
        negatives: Int[Tensor, "*position k"] | None = None,
    ) -> None:
        if logits.shape[:-1] != target.shape:
            raise UsageError(
                f"scores: got logits {tuple(logits.shape)} and target {tuple(target.shape)}. "
                "The target needs the logits' shape without their last axis."
            )
        check_given(target, teacher, negatives)
        self._given = logits
        self.target = target
        self.classes = logits.shape[-1]
        self.teacher = teacher
        self.negatives = negatives

    @cached_property
    @torch.enable_grad()
    def logits(self) -> Float[Tensor, "*position V"]:
        return upcast(self._given)

    @cached_property
    def _peak(self) -> Float[Tensor, "*position 1"]:
        return self.logits.detach().amax(-1, keepdim=True)

    @cached_property
    @torch.enable_grad()
    def log_probabilities(self) -> Float[Tensor, "*position V"]:
        """log p of every outcome."""
        on_cpu = self.logits.device.type == "cpu"  # where log_softmax takes the largest off first, and not as part of a sum
        return torch.log_softmax(self.logits if on_cpu else self.logits - self._peak, -1)

    @cached_property
    @torch.enable_grad()
    def mean_logp(self) -> Float[Tensor, "*position"]:
        return self.log_probabilities.mean(-1)

    @cached_property
    @torch.enable_grad()
    def entropy(self) -> Float[Tensor, "*position"]:
        p = self.log_probabilities.exp()
        return -(p * possible(self.log_probabilities, 0.0)).sum(-1)  # 0 log 0 is 0

    @cached_property
    @torch.enable_grad()
    def logsumexp(self) -> Float[Tensor, "*position"]:
        return self._peak.squeeze(-1) + torch.logsumexp(self.logits - self._peak, -1)

    @cached_property
    @torch.enable_grad()
    def max_other_logp(self) -> Float[Tensor, "*position"]:
        others = self.log_probabilities.scatter(-1, self.target.long().unsqueeze(-1), -math.inf)
        return others.gather(-1, others.detach().argmax(-1, keepdim=True)).squeeze(-1)

    @cached_property
    @torch.enable_grad()
    def rest_logp(self) -> Float[Tensor, "*position"]:
        others = self.log_probabilities.scatter(-1, self.argmax.unsqueeze(-1), -math.inf)
        peak = others.detach().amax(-1, keepdim=True).clamp_min(torch.finfo(others.dtype).min)
        return peak.squeeze(-1) + log_of_any((others - peak).exp().sum(-1))

    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        squares = self.log_probabilities.exp().square()
        if weight is None:
            return squares.sum(-1)
        with torch.autocast(squares.device.type, enabled=False):  # as any product of matrices it would be in halves
            return squares @ weight

    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        return self.log_probabilities.gather(-1, ids.long())

    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        return (q * counted(q, self.log_probabilities)[0]).sum(-1)  # an outcome that weighs nothing counts 0

    def sums(self, f: Callable[..., Sequence[Tensor]], *others: Tensor | Scores) -> tuple[Float[Tensor, "*position"], ...]:
        own = self.log_probabilities
        return tuple(part.sum(-1) for part in f(own, *(_outcomes(other).to(own.dtype) for other in others)))

    @cached_property
    def argmax(self) -> Int[Tensor, "*position"]:
        return self.logits.detach().argmax(-1)

    def adjusted(
        self, *, scale: float = 1.0, offset: Float[Tensor, "V"] | None = None, margin: Float[Tensor, "*position"] | None = None
    ) -> Dense:
        z = self.logits
        if margin is not None:
            z = z.scatter_add(-1, self.target.long().unsqueeze(-1), -margin.unsqueeze(-1).to(z.dtype))
        z = z if scale == 1 else z * scale
        return Dense(z if offset is None else z + offset, self.target, self.teacher, self.negatives)

    def rows(self, rows: Int[Tensor, "M"] | slice) -> Dense:
        return Dense(flat(self._given)[rows], *self._given_at(rows))

    def explain(self) -> str:
        return f"dense: logits {tuple(self._given.shape)} whole in memory, {self._given.dtype} read as {self.logits.dtype}"


def _outcomes(other: Tensor | Scores) -> Tensor:
    if isinstance(other, Tensor):
        return other
    if isinstance(other, Dense):
        return other.log_probabilities.detach()
    raise UsageError(f"dense scores cannot be compared with {type(other).__name__} ones. Give both in the same way.")


def check_given(target: Tensor, teacher: Teacher | None, negatives: Tensor | None) -> None:
    """Raise UsageError where the target is not whole numbers, or what is given beside it does not fit its positions."""
    if target.is_floating_point() or target.dtype == torch.bool:
        raise UsageError(f"scores: got a target of {target.dtype}. Give class numbers (torch.int64).")
    if negatives is not None and negatives.shape[:-1] != target.shape:
        raise UsageError(f"scores: got negatives {tuple(negatives.shape)} for targets {tuple(target.shape)}. Want [*, k].")
    if teacher is not None:
        positions = teacher.target.shape if isinstance(teacher, Scores) else teacher.ids.shape[:-1]
        if positions != target.shape:
            raise UsageError(f"scores: got a teacher of positions {tuple(positions)} for targets {tuple(target.shape)}.")


def check_range(target: Int[Tensor, "*position"], classes: int, kept: Int[Tensor, "kept"] | None = None) -> None:
    """Raise UsageError where a target (at the flat positions ``kept``) is no outcome; on a CPU alone, where that is free."""
    unseen = torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(target)  # vmap's hold no values
    if target.device.type != "cpu" or unseen:
        return
    visited = target if kept is None else target.flatten()[kept]
    if not visited.numel():
        return
    low, high = visited.aminmax()
    if low < 0 or high >= classes:
        first = ((visited < 0) | (visited >= classes)).flatten().nonzero()[0]
        at = first if kept is None else kept[first]
        position, wrong = [int(i) for i in torch.unravel_index(at, target.shape)], int(target.flatten()[at])
        largest = f" The largest is {int(high)}." if high >= classes else ""
        shifted = " If yours begin at 1, give target - 1." if low >= 1 else ""
        raise UsageError(
            f"scores: got target {wrong} at position {position} for {classes} outcomes, 0 to {classes - 1}.{largest}{shifted} "
            "To leave positions out, give loss(logits[keep], target[keep]), or keep=keep to fused, with "
            f"keep = (target != {wrong})."
        )


def dense(
    logits: Float[Tensor, "*position V"],
    target: Int[Tensor, "*position"],
    *,
    teacher: Teacher | None = None,
    negatives: Int[Tensor, "*position k"] | None = None,
) -> Dense:
    """Scores from whole logits.

    Args:
        logits: unnormalised log-probabilities; log-probabilities are logits too.
        target: the outcome that was seen, as a class number.
        teacher: dense scores or ``TopK`` at the same positions, for distillation and soft targets; gets no gradient.
        negatives: ids to push down; below 0 is padding.

    Raises:
        UsageError: the shapes do not fit, or a target is not a whole number from 0 to V - 1.
    """
    if not logits.is_floating_point():
        raise UsageError(f"scores: got logits of {logits.dtype}; wanted floating point, such as logits.float().")
    made = Dense(logits, target, teacher, negatives)
    check_range(target, made.classes)
    if negatives is not None:
        check_range(negatives.clamp_min(0), made.classes)
    return made


def binary(logits: Float[Tensor, "*position"], target: Tensor) -> Dense:
    """Scores of outcomes that are (1) or are not (0), from one logit each: V = 2 with logits (0, z).

    The probability of 1 is sigmoid(z); cross-entropy over these scores is binary cross-entropy.
    """
    return dense(torch.stack([torch.zeros_like(logits), logits], -1), target.long())
