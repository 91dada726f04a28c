"""Some rows of logits that stand in memory for a moment, with the gradient into them made by hand where that is cheap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from .dense import Dense

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from .teacher import Teacher


_STRIPES = 16  # outcomes of which only the largest is looked at first
_FEW = 2  # of so many stripes, and of so many outcomes of a row, at most one may be looked for: more are not worth picking


class Tile(Dense):
    """Dense scores whose statistics are leaves: a loss is differentiated down to them, and ``backward`` goes on into the logits.

    A loss of ``logp``, ``logp_of``, ``mean_logp`` and ``logsumexp`` is then differentiated over vectors, whatever V is. All other
    statistics are ``Dense``'s, read from one leaf, the log-probabilities; their tiles stay in the CPU's cache.

    logits: [rows, V] in float32 or float64, no gradient. ``backward`` may overwrite them.
    space: memory of the same shape to work in.
    """

    single_use = True

    def __init__(
        self,
        logits: Float[Tensor, "rows V"],
        target: Int[Tensor, "rows"],
        teacher: Teacher | None,
        negatives: Tensor | None,
        space: Tensor,
    ) -> None:
        super().__init__(logits, target, teacher, negatives)
        self._space = space
        self._leaves: dict[str, Tensor] = {}
        self._ids: dict[str, Tensor] = {}

    def _leaf(self, name: str, value: Tensor) -> Tensor:
        self._leaves[name] = value.detach().requires_grad_()
        return self._leaves[name]

    @cached_property
    def _peak(self) -> Float[Tensor, "rows"]:
        return self._given.amax(-1)

    @cached_property
    def _p(self) -> Float[Tensor, "rows V"]:
        return torch.softmax(self._given, -1, out=self._space)

    @cached_property
    def top(self) -> Float[Tensor, "rows"]:
        """log p of the largest logit; log p_v is z_v - peak + top, which does not cancel however large the logits are."""
        return self._p.amax(-1).log()

    @cached_property
    def logits(self) -> Float[Tensor, "rows V"]:
        return self._leaf("logits", self._given)

    @torch.no_grad()
    def logp_of(self, ids: Int[Tensor, "rows k"]) -> Float[Tensor, "rows k"]:
        name = f"logp_of {len(self._ids)}"
        self._ids[name] = ids.long()
        below = self._given.gather(-1, self._ids[name]) - self._peak.unsqueeze(-1)
        return self._leaf(name, below + self.top.unsqueeze(-1))

    @cached_property
    def max_other_logp(self) -> Float[Tensor, "rows"]:
        target = self.target.long().unsqueeze(-1)
        best = self._given.scatter(-1, target, -math.inf).argmax(-1, keepdim=True)
        return self.logp_of(best).masked_fill(best == target, -math.inf).squeeze(-1)

    @cached_property
    @torch.no_grad()
    def mean_logp(self) -> Float[Tensor, "rows"]:
        return self._leaf("mean_logp", (self._given - self._peak.unsqueeze(-1)).mean(-1) + self.top)

    @cached_property
    @torch.no_grad()
    def logsumexp(self) -> Float[Tensor, "rows"]:
        return self._leaf("logsumexp", self._peak - self.top)

    @cached_property
    @torch.no_grad()
    def log_probabilities(self) -> Float[Tensor, "rows V"]:
        return self._leaf("log_probabilities", (self._given - self._peak.unsqueeze(-1)).add_(self.top.unsqueeze(-1)))

    def sums_near(self, reach: float) -> Callable[..., Sequence[Tensor]]:
        if self._given.device.type != "cpu":  # how many outcomes there are is not known without waiting for the device
            return self.sums
        if (found := self._near(reach)) is None:
            return self.sums
        ids, there = found
        near = self.logp_of(ids).masked_fill(~there, -math.inf)
        return lambda f, *others: tuple(part.sum(-1) for part in f(near, *others))

    @torch.no_grad()
    def _near(self, reach: float) -> tuple[Int[Tensor, "rows k"], Bool[Tensor, "rows k"]] | None:
        """The outcomes within ``reach`` of the largest, as many a row as any has, and which are there; None where they are many.

        The largest of every so many outcomes tells where to look: one fast pass, and few outcomes to compare.
        """
        floor, width = self._peak.unsqueeze(-1) - reach, -(-self.classes // _STRIPES)
        whole = functional.pad(self._given, (0, width * _STRIPES - self.classes), value=-math.inf)
        striped = whole.view(len(floor), _STRIPES, width)
        reached = striped.amax(1) >= floor
        if reached.sum() * _FEW > reached.numel():
            return None
        row, column = reached.nonzero().unbind(-1)
        found, stripe = (striped[row, :, column] >= floor[row]).nonzero().unbind(-1)
        row, ids = row[found], stripe * width + column[found]
        count = row.bincount(minlength=len(floor))
        if len(count) and count.max() * _FEW > self.classes:  # as wide as its widest row, of which one may hold them all
            return None
        place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
        there = torch.arange(int(count.max()) if len(count) else 0, device=row.device) < count.unsqueeze(-1)
        return torch.zeros_like(there, dtype=torch.int64).index_put_((row, place), ids), there

    @cached_property
    def argmax(self) -> Int[Tensor, "rows"]:
        return self._given.argmax(-1)

    @torch.no_grad()
    def backward(self, values: Tensor, grad_output: Tensor) -> Float[Tensor, "rows V"]:
        """The gradient of Σ grad_output · values into the logits; ``values``, of the same shape, came from these scores."""
        names, leaves = list(self._leaves), list(self._leaves.values())
        if not values.requires_grad:  # a loss that reads nothing
            return self._space.zero_()
        grads: tuple[Tensor | None, ...] = torch.autograd.grad(values, leaves, grad_output, allow_unused=True)
        into = {name: grad for name, grad in zip(names, grads, strict=True) if grad is not None}
        by_logit = into.pop("logits", None)
        if not into:
            return self._space.zero_() if by_logit is None else self._space.copy_(by_logit)
        d_z = self._through_softmax(into)
        return d_z if by_logit is None else d_z.add_(by_logit)

    def _through_softmax(self, into: dict[str, Tensor]) -> Tensor:
        """From gradients into the statistics to the gradient into z; every log-probability brings -p times its own."""
        factor = torch.zeros_like(self._peak)
        for name, grad in into.items():
            if name == "logsumexp":
                factor += grad
            else:
                factor -= grad if name == "mean_logp" else grad.sum(-1)
        if (mean := into.get("mean_logp")) is None:
            d_z = self._p.mul_(factor.unsqueeze(-1))
        else:
            d_z = torch.addcmul((mean / self.classes).unsqueeze(-1), self._p, factor.unsqueeze(-1), out=self._p)
        for name, ids in self._ids.items():
            if name in into:
                d_z.scatter_add_(-1, ids, into[name])
        return d_z.add_(into["log_probabilities"]) if "log_probabilities" in into else d_z
