"""Scores whose outcomes are divided among processes: each holds the logits of its slice of the vocabulary.

Positions and targets are the same on every process, and so is every statistic: a local reduction, then an all-reduce of one
number a position. Each process computes the same loss, and the loss counts once (``between``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, distributed
from torch.nn import functional

from ..core.errors import UsageError
from .base import Scores, upcast
from .between import reduced, replicated, summed
from .counted import log_of_any
from .dense import check_given, check_range

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch.distributed import ProcessGroup

    from .teacher import Teacher


@dataclass(frozen=True, slots=True)
class Slice:
    """The outcomes that this process holds: ``start`` to ``stop`` of ``classes``, and with whom it shares them."""

    start: int
    stop: int
    classes: int
    group: ProcessGroup | None

    def of(self, values: Float[Tensor, "*#position V"]) -> Float[Tensor, "*#position local"]:
        """This process's part of values that are the same everywhere."""
        return replicated(values, self.group)[..., self.start : self.stop]

    def total(self, part: Tensor) -> Tensor:
        """The sum of all processes' parts."""
        return summed(part, self.group)


class Sharded(Scores):
    """Statistics by local work and all-reduce; second derivatives work, ``torch.func`` does not.

    Half-precision logits are read in float32. The largest logit of each position, of all processes, is subtracted first.
    Every process must ask for the same statistics in the same order. What is kept for the next time that it is asked for is
    made with its gradient, even where it is first asked for under ``no_grad``.
    """

    def __init__(
        self,
        logits: Float[Tensor, "*position local"],
        target: Int[Tensor, "*position"],
        own: Slice,
        teacher: Teacher | None = None,
        negatives: Int[Tensor, "*position k"] | None = None,
    ) -> None:
        self._given = logits
        self._slice = own
        self.target = target
        self.classes = own.classes
        self.teacher = teacher
        self.negatives = negatives

    @cached_property
    @torch.enable_grad()
    def _logits(self) -> Float[Tensor, "*position local"]:
        return upcast(self._given)

    @cached_property
    def _peak(self) -> Float[Tensor, "*position 1"]:
        return reduced(_largest(self._logits.detach()), distributed.ReduceOp.MAX, self._slice.group)

    @cached_property
    @torch.enable_grad()
    def _log_total(self) -> Float[Tensor, "*position 1"]:
        """The log-normaliser of the logits less their peak."""
        return self._slice.total((self._logits - self._peak).exp().sum(-1, keepdim=True)).log()

    @cached_property
    @torch.enable_grad()
    def log_probabilities(self) -> Float[Tensor, "*position local"]:
        """log p of this process's outcomes."""
        return self._logits - self._peak - replicated(self._log_total, self._slice.group)

    def _at(self, outcome: Int[Tensor, "*position"]) -> Bool[Tensor, "*position local"]:
        ids = torch.arange(self._slice.start, self._slice.stop, device=outcome.device)
        return ids == outcome.unsqueeze(-1)

    def _sum(self, local: Float[Tensor, "*position local"]) -> Float[Tensor, "*position"]:
        return self._slice.total(local.sum(-1))

    def _pick(self, local: Float[Tensor, "*position local"], ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        """The values of the outcomes ``ids``, whoever holds them. An id of nobody raises everywhere, as in a plain gather."""
        elsewhere = (ids >= 0) & (ids < self.classes) & ((ids < self._slice.start) | (ids >= self._slice.stop))
        place = (ids.long() - self._slice.start).masked_fill(elsewhere, 0)
        some = local if local.shape[-1] else functional.pad(local, (0, 1))  # a place to point at, for a process without outcomes
        return self._slice.total(some.gather(-1, place).masked_fill(elsewhere, 0.0))

    def _first_of_largest(self, local: Float[Tensor, "*position local"]) -> Int[Tensor, "*position"]:
        best = _largest(local.detach())
        peak = reduced(best, distributed.ReduceOp.MAX, self._slice.group)
        place = local.detach().argmax(-1, keepdim=True) if local.shape[-1] else torch.zeros_like(best, dtype=torch.int64)
        first = torch.where(best == peak, self._slice.start + place, self.classes - 1)
        return reduced(first, distributed.ReduceOp.MIN, self._slice.group).squeeze(-1)

    @cached_property
    @torch.enable_grad()
    def mean_logp(self) -> Float[Tensor, "*position"]:
        return self._sum(self.log_probabilities) / self.classes

    @cached_property
    @torch.enable_grad()
    def entropy(self) -> Float[Tensor, "*position"]:
        p = self.log_probabilities.exp()
        return -self._sum(p * self.log_probabilities.masked_fill(p == 0, 0.0))  # 0 log 0 is 0

    @cached_property
    @torch.enable_grad()
    def logsumexp(self) -> Float[Tensor, "*position"]:
        return (self._peak + self._log_total).squeeze(-1)

    @cached_property
    @torch.enable_grad()
    def max_other_logp(self) -> Float[Tensor, "*position"]:
        others = self.log_probabilities.masked_fill(self._at(self.target), -math.inf)
        return self._pick(others, self._first_of_largest(others).unsqueeze(-1)).squeeze(-1)

    @cached_property
    @torch.enable_grad()
    def rest_logp(self) -> Float[Tensor, "*position"]:
        others = self.log_probabilities.masked_fill(self._at(self.argmax), -math.inf)
        peak = reduced(_largest(others.detach()), distributed.ReduceOp.MAX, self._slice.group)
        peak = peak.clamp_min(torch.finfo(others.dtype).min)
        return peak.squeeze(-1) + log_of_any(self._sum((others - peak).exp()))

    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        squares = self.log_probabilities.exp().square()
        return self._sum(squares if weight is None else squares * self._slice.of(weight))

    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        return self._pick(self.log_probabilities, ids)

    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        own = self._slice.of(q)
        return self._sum(own * self.log_probabilities.masked_fill(own == 0, 0.0))  # an outcome that weighs nothing counts 0

    def sums(self, f: Callable[..., Sequence[Tensor]], *others: Tensor | Scores) -> tuple[Float[Tensor, "*position"], ...]:
        own = self.log_probabilities
        return tuple(map(self._sum, f(own, *(self._beside(other).to(own.dtype) for other in others))))

    def _beside(self, other: Tensor | Scores) -> Tensor:
        """What reaches a function of this process's outcomes."""
        if isinstance(other, Sharded) and other._slice == self._slice:
            return other.log_probabilities.detach()
        if isinstance(other, Scores):
            raise UsageError(f"{self.explain()} cannot be compared with {other.explain()}. Shard both in the same way.")
        if other.shape[-1:] == (self.classes,):
            return self._slice.of(other)
        if other.shape[-1:] == (1,):
            return replicated(other, self._slice.group)
        raise UsageError(f"sum: got a tensor {tuple(other.shape)}; wanted all {self.classes} outcomes or 1 as its last axis.")

    @cached_property
    def argmax(self) -> Int[Tensor, "*position"]:
        return self._first_of_largest(self._logits)

    @property
    def logits(self) -> Float[Tensor, "*position V"]:
        raise UsageError(
            "sharded scores never hold the logits of all outcomes, and this loss asks for them. Gather the logits and give them "
            "to scores.dense, or use a loss that reads statistics, such as cross_entropy."
        )

    def adjusted(
        self, *, scale: float = 1.0, offset: Float[Tensor, "V"] | None = None, margin: Float[Tensor, "*position"] | None = None
    ) -> Sharded:
        z = self._logits
        if margin is not None:
            less = replicated(margin.unsqueeze(-1).to(z.dtype), self._slice.group)
            z = torch.where(self._at(self.target), z - less, z)
        z = z if scale == 1 else z * scale
        z = z if offset is None else z + self._slice.of(offset)
        return Sharded(z, self.target, self._slice, self.teacher, self.negatives)

    def rows(self, rows: Int[Tensor, "M"] | slice) -> Sharded:
        given = self._given.reshape(self.target.numel(), self._given.shape[-1])  # flat() cannot count beside an empty axis
        target, teacher, negatives = self._given_at(rows)
        return Sharded(given[rows], target, self._slice, teacher, negatives)

    def explain(self) -> str:
        own, world = self._slice, distributed.get_world_size(self._slice.group)
        return (
            f"sharded: {own.classes} outcomes over {world} processes, {own.start} to {own.stop} (not included) on this one; "
            f"{self._given.dtype} read as {self._logits.dtype}"
        )


def sharded(
    logits: Float[Tensor, "*position local"],
    target: Int[Tensor, "*position"],
    group: ProcessGroup | None = None,
    *,
    teacher: Teacher | None = None,
    negatives: Int[Tensor, "*position k"] | None = None,
) -> Sharded:
    """Scores from this process's slice of the logits; the slices stand in the order of the ranks, and may differ in size.

    The loss is to be computed alike on every process, and its gradient into each slice is then that of the one loss. Hidden
    states that a sharded head reads go through ``replicated`` first.

    Args:
        logits: unnormalised log-probabilities of this process's outcomes.
        target: the outcome that was seen, as a number among all outcomes; the same on every process.
        group: the processes that share the outcomes; all of them where none is given.
        teacher: scores sharded in the same way, or ``TopK`` of all outcomes; gets no gradient.
        negatives: ids among all outcomes to push down; below 0 is padding.

    Raises:
        UsageError: there is no process group, or the shapes do not fit, here or between processes.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        raise UsageError("sharded scores need processes that talk. Call torch.distributed.init_process_group first.")
    if logits.shape[:-1] != target.shape:
        raise UsageError(
            f"scores: got logits {tuple(logits.shape)} and target {tuple(target.shape)}. "
            "The target needs the logits' shape without their last axis."
        )
    check_given(target, teacher, negatives)
    here = torch.tensor([logits.shape[-1], target.numel()], device=logits.device)
    everywhere = [torch.empty_like(here) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(everywhere, here, group=group)
    sizes, positions = torch.stack(everywhere).T.tolist()
    if len(set(positions)) > 1:
        raise UsageError(f"sharded: the processes hold {positions} positions. Give every one the same positions and targets.")
    check_range(target, sum(sizes))
    start = sum(sizes[: distributed.get_rank(group)])
    return Sharded(logits, target, Slice(start, start + logits.shape[-1], sum(sizes), group), teacher, negatives)


def _largest(local: Float[Tensor, "*position local"]) -> Float[Tensor, "*position 1"]:
    """The largest value of each position; -inf for a process without outcomes."""
    return local.amax(-1, keepdim=True) if local.shape[-1] else local.new_full((*local.shape[:-1], 1), -math.inf)
