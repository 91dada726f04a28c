"""Prodigy: Adam that finds its own learning rate, from an estimate of how far away the solution is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numba import njit
from torch import Tensor

from ...core.threads import share
from .. import foreach
from ..base import Group, Optimizer, optimizers
from ..custom import CustomOptimizer, Part, by_memory, elementwise, moments
from ..multi_tensor import Row, array, compiled, state_dtype, tabulated


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
    positive = ("d0",)
    shares = ("beta1", "beta2")
    weights_kept = ("start",)

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        own = {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        return _Prodigy(groups, own | {"d": self.d0, "d0": self.d0, "r": 0.0})

    def for_batches(self, times: float) -> Self:
        return self  # it finds its rate itself

    def divisor(self, state: dict[str, Any]) -> Tensor:
        d = state["d"]
        step: Tensor = (state["exp_avg_sq"].sqrt() + d * self.eps) / d**2  # the momentum is of d · g
        return step


class _Prodigy(CustomOptimizer):
    """In two passes over memory: averages and the estimate, then the step. r and s are kept divided by d0², or they would
    be lost below the smallest float32; their quotient is the same.
    """

    def update_together(self, parts: list[Part]) -> None:
        if not parts:
            return
        first = self.param_groups[0]
        nearer, size = _gather([row for parameters, group in parts for row in self._averaged(parameters, group)])
        r = math.sqrt(first["beta2"]) * first["r"] + nearer
        d = max(first["d"], r / size) if size > 0 else first["d"]
        elementwise(_step, [row for parameters, group in parts for row in self._moved(parameters, group)])
        for group in self.param_groups:
            group["r"], group["d"] = r, d

    def _averaged(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        """What ``_averages`` works on."""
        d, beta1, beta2, forget = group["d"], group["beta1"], group["beta2"], math.sqrt(group["beta2"])
        pull = (1 - forget) * group["lr"] * (d / group["d0"]) ** 2
        scalars = (beta1, (1 - beta1) * d, beta2, (1 - beta2) * d * d, forget, pull)
        now = torch.tensor(d, dtype=torch.float64)
        rows: list[Row] = []
        for p in parameters:
            state = self.state[p]
            if "start" not in state:
                state["start"] = p.detach().to(state_dtype(p), copy=True)
            state["d"] = now
            rows.append(((p, *moments(state, p, "exp_avg", "exp_avg_sq", "grad_sum"), state["start"]), scalars))
        return rows

    def _moved(self, parameters: list[Tensor], group: dict[str, Any]) -> list[Row]:
        """What ``_step`` works on."""
        rate = group["lr"] * group["d"]
        scalars = (rate, 1 - rate * group["weight_decay"], group["d"] * group["eps"])
        return [((p, *moments(self.state[p], p, "exp_avg", "exp_avg_sq")), scalars) for p in parameters]


def _gather(rows: list[Row]) -> tuple[float, float]:
    """Update the averages by the gradients, in place; returns what they add to ⟨g, w₀ - w⟩, weighted, and the size of s."""
    together, others = by_memory(rows)
    found = []
    for alike in together:
        addresses, sizes, scalars = tabulated(alike)
        pulls = np.array([own[-1] for _, own in alike])
        sums = np.zeros((int(-(-sizes // _BLOCK).sum()), 2))
        share(_averages_kernel, int(sizes.sum()), sums, addresses, sizes, scalars, pulls)
        found.append(torch.from_numpy(sums).sum(0))
    foreach.run(_averages, [((g, m, v, s), own) for (g, _, m, v, s, _), own in others])
    for (g, w, _, _, s, start), own in others:
        toward = (g.to(s.dtype) * (start - w)).sum(dtype=torch.float64) * own[-1]
        found.append(torch.stack([toward, s.abs().sum(dtype=torch.float64)]))
    nearer, size = torch.stack([each.to(found[0].device) for each in found]).sum(0).tolist()
    return nearer, size


_BLOCK = 4096  # sums are made block by block, whichever thread has it


@compiled
def _averages(g, m, v, s, beta1, rest1, beta2, rest2, forget, pull):  # type: ignore[no-untyped-def]
    return beta1 * m + rest1 * g, beta2 * v + rest2 * g * g, forget * s + pull * g


# "reassoc": the sums may be made in several lanes at once.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _averages_kernel(part, parts, sums, addresses, sizes, scalars, pulls):  # type: ignore[no-untyped-def]
    begin, end = len(sums) * part // parts, len(sums) * (part + 1) // parts
    block = 0
    for t in range(len(sizes)):
        beta1, rest1, beta2, rest2 = scalars[t, 0], scalars[t, 1], scalars[t, 2], scalars[t, 3]
        forget, pull = scalars[t, 4], scalars[t, 5]
        for low in range(0, sizes[t], _BLOCK):
            if begin <= block < end:
                high, like, at = min(low + _BLOCK, sizes[t]), scalars[t, 0], addresses[t]
                g, w, m = array(at[0], low, high, like), array(at[1], low, high, like), array(at[2], low, high, like)
                v, s, start = array(at[3], low, high, like), array(at[4], low, high, like), array(at[5], low, high, like)
                for i in range(len(g)):
                    m[i], v[i], s[i] = _averages(g[i], m[i], v[i], s[i], beta1, rest1, beta2, rest2, forget, pull)
                toward = size = 0.0
                for i in range(len(g)):
                    toward += np.float64(g[i] * (start[i] - w[i]))
                    size += np.float64(abs(s[i]))
                sums[block, 0], sums[block, 1] = pulls[t] * toward, size
            block += 1


@compiled
def _step(g, w, m, v, rate, kept, eps):  # type: ignore[no-untyped-def]
    return w * kept - rate * m / (np.sqrt(v) + eps)
