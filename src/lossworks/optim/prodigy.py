"""Prodigy: Adam that finds its own learning rate, from an estimate of how far away the solution is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numba import njit
from torch import Tensor

from ..core.threads import share
from .base import Group, Optimizer, check_positive, check_share, optimizers
from .many import compiled, runs_compiled
from .own import Own, elementwise, moments, number_type, on_tensors


@optimizers.add("prodigy", source="Mishchenko & Defazio 2023, arXiv:2306.06101, Prodigy (Adam version)")
@dataclass(frozen=True, kw_only=True)
class Prodigy(Optimizer):
    """w ← w - lr · d · m / (√v + d · eps), Adam's step on the gradients d · g, where d estimates the distance to the solution.

    Over all weights, d ← max(d, r / ‖s‖₁) with r ← √β₂ r + (1-√β₂) lr d² ⟨g, w₀ - w⟩, s ← √β₂ s + (1-√β₂) lr d² g, and w₀ the
    weights at the start. A step is made with the d before it.
    Domain: lr > 0, 0 <= beta1, beta2 < 1, eps > 0, d0 > 0, weight_decay >= 0.  The rate is lr · d: leave lr at 1, and let only a
    schedule change it. Weight decay is w ← w (1 - lr · d · weight_decay). There is no correction of the averages' bias.
    The authors' program multiplies eps by the new d; the paper, and this, by the old.
    """

    lr: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    d0: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "beta1", "beta2")
        check_positive(self, "d0")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        own = {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        return _Prodigy(groups, own | {"d": self.d0, "d0": self.d0, "r": 0.0})

    def for_batches(self, times: float) -> Self:
        return self  # it finds its rate itself

    def divisor(self, state: dict[str, Any]) -> Tensor:
        d = state["d"]
        step: Tensor = (state["exp_avg_sq"].sqrt() + d * self.eps) / d**2  # the momentum is of d · g
        return step


class _Prodigy(Own):
    """In two passes over memory: averages and the estimate, then the step. r and s are kept divided by d0², or they would
    be lost below the smallest float32; their quotient is the same.
    """

    def update_together(self, parts: list[tuple[list[Tensor], dict[str, Any]]]) -> None:
        self._sums: list[Tensor] = []
        super().update_together(parts)
        if not self._sums:
            return
        first = self.param_groups[0]
        nearer, size = torch.stack([each.to(self._sums[0].device) for each in self._sums]).sum(0).tolist()
        r = math.sqrt(first["beta2"]) * first["r"] + nearer
        d = max(first["d"], r / size) if size > 0 else first["d"]
        for parameters, group in parts:
            self._move(parameters, group)
        for group in self.param_groups:
            group["r"], group["d"] = r, d

    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """The averages of one group, and what it adds to ⟨g, w₀ - w⟩ and ‖s‖₁."""
        d, beta1, beta2, forget = group["d"], group["beta1"], group["beta2"], math.sqrt(group["beta2"])
        pull = (1 - forget) * group["lr"] * (d / group["d0"]) ** 2
        numbers = (beta1, (1 - beta1) * d, beta2, (1 - beta2) * d * d, forget, pull)
        for p in parameters:
            state = self.state[p]
            if "start" not in state:
                state["start"] = p.detach().to(number_type(p), copy=True)
            state["d"] = torch.tensor(d, dtype=torch.float64)
            tensors = [p, *moments(state, p, "exp_avg", "exp_avg_sq", "grad_sum"), state["start"]]
            self._sums.append(_gather(tensors, numbers, pull))

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        rate = group["lr"] * group["d"]
        numbers = (rate, 1 - rate * group["weight_decay"], group["d"] * group["eps"])
        states = [self.state[p] for p in parameters]
        elementwise(_step, [(p, s["exp_avg"], s["exp_avg_sq"]) for p, s in zip(parameters, states, strict=True)], *numbers)


def _gather(tensors: list[Tensor], numbers: tuple[float, ...], pull: float) -> Tensor:
    """Take the averages on by the gradient, in place; how much it points to the start, and the size of s."""
    p, m, v, s, start = tensors
    assert p.grad is not None
    if runs_compiled([p.grad, *tensors], p.dtype):
        flat = [t.detach().view(-1).numpy() for t in (p.grad, *tensors)]
        sums = np.zeros((math.ceil(p.numel() / _BLOCK), 2))
        share(_averages_kernel, p.numel(), sums, *flat, *map(flat[0].dtype.type, numbers))
        found = torch.from_numpy(sums).sum(0)
    else:
        g = p.grad.to(m.dtype)
        for held, value in zip((m, v, s), on_tensors(_averages)(g, m, v, s, *numbers), strict=True):
            held.copy_(value)
        found = torch.stack([(g * (start - p)).sum(dtype=torch.float64), s.abs().sum(dtype=torch.float64)])
    found[0] *= pull
    return found


_BLOCK = 4096  # sums are made block by block, whichever thread has it


@compiled
def _averages(g, m, v, s, beta1, rest1, beta2, rest2, forget, pull):  # type: ignore[no-untyped-def]
    return beta1 * m + rest1 * g, beta2 * v + rest2 * g * g, forget * s + pull * g


# "reassoc": the sums may be made in several lanes at once.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _averages_kernel(part, parts, sums, g, w, m, v, s, start, beta1, rest1, beta2, rest2, forget, pull):  # type: ignore[no-untyped-def]
    for block in range(part, len(sums), parts):
        at, end = block * _BLOCK, min((block + 1) * _BLOCK, len(g))
        gs, ws, ms, vs, ss, starts = g[at:end], w[at:end], m[at:end], v[at:end], s[at:end], start[at:end]
        toward = size = 0.0
        for i in range(len(gs)):
            ms[i], vs[i], ss[i] = _averages(gs[i], ms[i], vs[i], ss[i], beta1, rest1, beta2, rest2, forget, pull)
        for i in range(len(gs)):
            toward += np.float64(gs[i] * (starts[i] - ws[i]))
            size += np.float64(abs(ss[i]))
        sums[block, 0], sums[block, 1] = toward, size


@compiled
def _step(g, w, m, v, rate, kept, eps):  # type: ignore[no-untyped-def]
    return w * kept - rate * m / (np.sqrt(v) + eps)
