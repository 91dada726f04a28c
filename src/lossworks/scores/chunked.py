"""Scores of a last layer whose logits never stand whole: chunks of positions, the gradient made on the way.

``mean(loss)`` makes the gradient in the forward pass, while a chunk's logits are at hand: three matrix products, as many
as the naive way, and memory that does not grow with the number of positions. ``values(loss)`` and single statistics are
ordinary tensors, for whatever a caller combines them into; the backward pass then makes the logits again: four products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

import torch
from torch import Tensor

from ..core.errors import UsageError
from .autograd import Call, Mean, Values
from .base import Scores, flat
from .chunked_head import ChunkedHead, Read
from .dense import Dense
from .eager import eager

if TYPE_CHECKING:
    from jaxtyping import Float, Int


Loss = Callable[[Scores], Tensor]
_ALSO = ("values", "logp", "mean_logp", "entropy", "logsumexp", "max_other_logp", "rest_logp", "argmax")


def _statistic(name: str) -> cached_property[Tensor]:
    """A statistic of the positions, read chunk by chunk."""

    @torch.enable_grad()
    def read(fused: Fused) -> Float[Tensor, "*position"]:
        return fused.values(lambda scores: getattr(scores, name))

    return cached_property(read)


class Fused(Scores):
    """See ``fused``."""

    def __init__(self, chunked: ChunkedHead, shape: torch.Size, hidden: Float[Tensor, "M D"], shift: int) -> None:
        self._chunked = chunked
        self._shift = shift
        self._shape = shape
        self._hidden = hidden
        self.target = chunked.target.view(shape)
        self.classes = chunked.head.classes
        self.teacher, self.negatives = chunked.teacher, chunked.negatives

    @overload
    def mean(self, loss: Loss, *, weights: Tensor | None = None, denom: Tensor | float | None = None) -> Tensor: ...

    @overload
    def mean(
        self, loss: Loss, *, weights: Tensor | None = None, denom: Tensor | float | None = None, also: Sequence[str]
    ) -> tuple[Tensor, dict[str, Tensor]]: ...

    @eager
    def mean(
        self,
        loss: Loss,
        *,
        weights: Float[Tensor, "*position"] | None = None,
        denom: Tensor | float | None = None,
        also: Sequence[str] = (),
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """Σ weight · loss / denom over the kept positions, a scalar in float32 or better. Three products, all in all.

        Args:
            loss: one of ``lossworks.losses``, or any function of ``Scores`` that gives one value a position.
                Tensors that it holds besides get no gradient. On a CPU several threads call it at once.
            weights: what each position weighs; 1 where it is not given. Gets no gradient.
            denom: what to divide by; the kept positions' weight where it is not given (and 1 where that is 0). In training
                over several micro-batches or workers, the weight of all of them.
            also: names of statistics to give back besides, without gradient: "values", "logp", "mean_logp", "entropy",
                "logsumexp", "max_other_logp", "rest_logp", "argmax".

        Returns:
            The mean; with ``also``, the mean and a dictionary of [*position] tensors, 0 where a position is not kept.
        """
        if isinstance(also, str) or not set(also) <= set(_ALSO):
            raise UsageError(f"fused: also is {also!r}; wanted a list of names out of {', '.join(_ALSO)}.")
        if isinstance(denom, Tensor) and denom.requires_grad:
            raise UsageError("fused: what a mean is divided by gets no gradient. Use scores.values(loss).sum() / denom.")
        chunked, weighed = self._weighed(weights)
        by = weighed.sum() if denom is None else torch.as_tensor(denom, dtype=weighed.dtype, device=weighed.device)
        by = by.masked_fill(by == 0, 1)  # nothing kept: 0, not nan
        late = chunked.dtype == torch.float16  # its small gradients vanish: divided by in the end
        call = self._call(self._one_by_one(loss), chunked, weighed if late else weighed / by, tuple(also))
        summed, found = Mean.apply(call, self._hidden, *self._chunked.head.tensors)  # type: ignore[no-untyped-call]
        mean: Tensor = summed / by if late else summed
        return (mean, {name: self._spread(part, chunked.kept) for name, part in found.items()}) if also else mean

    def values(self, loss: Loss) -> Float[Tensor, "*position"]:
        """The loss of each position, 0 where it is not kept; differentiable. Four products, forward and backward.

        The gradient is that of the hidden states and the head; tensors that the loss holds besides get none.
        """
        return self._each(self._one_by_one(loss))

    @eager
    def _each(self, read: Callable[[Scores, Tensor], Tensor]) -> Tensor:
        call = self._call(read, self._chunked)
        if any(call.wanted):
            self._chunked.head.check_repeatable()
        kept: Tensor = Values.apply(call, self._hidden, *self._chunked.head.tensors)  # type: ignore[no-untyped-call]
        return self._spread(kept, self._chunked.kept)

    @staticmethod
    def _one_by_one(loss: Loss) -> Read:
        if getattr(loss, "positions_interact", False):
            raise UsageError(f"fused: positions interact in {loss}, so it cannot be cut into chunks. Use scores.dense.")
        return lambda scores, rows: loss(scores)

    def _call(self, read: Read, chunked: ChunkedHead, weights: Tensor | None = None, also: tuple[str, ...] = ()) -> Call:
        given = (self._hidden, *chunked.head.tensors)
        return Call(chunked, read, [t.requires_grad and torch.is_grad_enabled() for t in given], weights, also)

    def _spread(self, part: Tensor, kept: Tensor | None) -> Tensor:
        """From the kept positions to all of them."""
        if kept is not None:
            part = part.new_zeros(len(self._hidden), *part.shape[1:]).index_copy(0, kept, part)
        return part.view(*self._shape, *part.shape[1:])

    def _weighed(self, weights: Tensor | None) -> tuple[ChunkedHead, Float[Tensor, "kept"]]:
        """The positions that weigh something, and what they weigh."""
        chunked, device = self._chunked, self._hidden.device
        if weights is None:
            return chunked, torch.ones(chunked.size, dtype=chunked.compute_dtype, device=device)
        if weights.shape != self._shape:
            raise UsageError(f"fused: got weights {tuple(weights.shape)} for positions {tuple(self._shape)}.")
        if weights.requires_grad:
            raise UsageError("fused: the weights of a mean get no gradient. Use (weights * scores.values(loss)).sum().")
        every = (weights.roll(-self._shift, -1) if self._shift else weights).flatten().to(device, chunked.compute_dtype)
        kept = every.nonzero().squeeze(-1) if chunked.kept is None else chunked.kept[every[chunked.kept] != 0]
        return replace(chunked, kept=kept), every[kept]

    logp = _statistic("logp")
    mean_logp = _statistic("mean_logp")
    entropy = _statistic("entropy")
    logsumexp = _statistic("logsumexp")
    max_other_logp = _statistic("max_other_logp")
    rest_logp = _statistic("rest_logp")

    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        _constant(weight)
        return self.values(lambda scores: scores.square_sum(weight))

    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        every = flat(ids)
        return self._each(lambda scores, rows: scores.logp_of(every[rows]))

    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        _constant(q)
        every = flat(q.expand(*self._shape, -1)) if q.ndim > 1 else None
        return self._each(lambda scores, rows: scores.expected_logp(q if every is None else every[rows]))

    def sums(self, f: Callable[..., Sequence[Tensor]], *others: Tensor | Scores) -> tuple[Float[Tensor, "*position"], ...]:
        _constant(*others)
        every = [flat(o.expand(*self._shape, -1)) if isinstance(o, Tensor) and o.ndim > 1 else o for o in others]

        def here(other: Tensor | Scores, rows: Tensor) -> Tensor | Scores:
            if isinstance(other, Scores):
                return other.rows(rows)
            return other if other.ndim == 1 else other[rows]

        return self._each(lambda scores, rows: torch.stack(scores.sums(f, *(here(o, rows) for o in every)), -1)).unbind(-1)

    @cached_property
    @torch.no_grad()
    def argmax(self) -> Int[Tensor, "*position"]:
        return self._each(lambda scores, rows: scores.argmax)

    @property
    def logits(self) -> Float[Tensor, "*position V"]:
        raise UsageError(
            "fused scores never hold their logits whole. Read them inside a loss (scores.values(loss)), or use scores.dense."
        )

    def adjusted(
        self, *, scale: float = 1.0, offset: Float[Tensor, "V"] | None = None, margin: Float[Tensor, "*position"] | None = None
    ) -> Scores:
        raise UsageError("fused scores are adjusted inside a loss: scores.mean(lambda s: loss(s.adjusted(...))).")

    def rows(self, rows: Int[Tensor, "M"] | slice) -> Dense:
        """The scores at some of the positions, flattened, their logits whole and without gradient: what a teacher is asked."""
        if self._chunked.kept is not None:
            raise UsageError("fused: scores with positions left out have no rows. Make the teacher without keep= and shift=.")
        return self._chunked.dense(self._hidden[rows], rows)

    def explain(self) -> str:
        return self._chunked.explain()


def _constant(*others: Tensor | Scores | None) -> None:
    if any(isinstance(other, Tensor) and other.requires_grad for other in others):
        raise UsageError(
            "fused: the hidden states and the head get a gradient, no tensor besides, and one wants it. Use scores.dense."
        )
