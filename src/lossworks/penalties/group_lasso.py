"""Group lasso: the weights of a row become zero together, so that a feature is used or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .base import Penalty, penalties

if TYPE_CHECKING:
    from jaxtyping import Float

_NODES, _SHARES = (torch.from_numpy(part / 2) for part in np.polynomial.legendre.leggauss(10))
_REACH = 1.0  # how far the fastest weight goes in one stretch, in e-foldings: ten nodes are then exact to float64
_FAINT = 1e-18  # share of a row's square sum that is lost in the sum
_AT_ONCE = 1 << 18  # weights worked on at once; what bounds the memory


@penalties.add(
    "group_lasso", source="Yuan & Lin 2006, JRSS B 68:49, eq. 2.1; the proximal step: Duchi & Singer 2009, JMLR 10:2899"
)
@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLasso(Penalty):
    """strength · Σ over rows of ‖row‖₂; in a table a row is a feature, in a layer an output (all its weights but the bias).

    Its flow shortens a row by strength · time and leaves its direction, to exactly zero. Where weights of a row have times τ
    of their own, w_j falls to w_j e^(-τ_j u), with the u at which strength = ∫₀ᵘ ‖w e^(-τv)‖ dv: found to float64's precision.
    (By Minkowski's inequality a row of unlike times whose gradient is just below strength is then held at the size of one step,
    not at zero. The proximal step in that metric would give it up, but proximal steps do not compose.)
    Rows are equally wide, so no factor for their width is needed; a table of width 1 has L1.
    Domain: strength >= 0.
    """

    def value(self, weight: Float[Tensor, "*rows width"]) -> Float[Tensor, ""]:
        lengths: Tensor = torch.linalg.vector_norm(weight, dim=-1)
        return self.strength * lengths.sum()

    def prox(self, weight: Float[Tensor, "*shape"], time: Float[Tensor, "*#shape"] | float) -> Float[Tensor, "*shape"]:
        time = torch.as_tensor(time, dtype=torch.float64, device=weight.device)
        if time.ndim and time.shape[-1] > 1:
            rows = weight.double().reshape(-1, weight.shape[-1])
            every = time.expand_as(weight).reshape(rows.shape)
            size = max(1, _AT_ONCE // rows.shape[1])
            parts = map(self._prox, torch.split(rows, size), torch.split(every, size))
            return torch.cat(list(parts)).view_as(weight).to(weight.dtype)
        length = torch.linalg.vector_norm(weight, dim=-1, keepdim=True, dtype=torch.float64)
        kept: Tensor = (1 - self.strength * time / length.clamp_min(1e-300)).clamp_min(0)
        return weight * kept.to(weight.dtype)

    def _prox(self, rows: Float[Tensor, "R W"], time: Float[Tensor, "R W"]) -> Float[Tensor, "R W"]:
        """The flow with a time for each weight, in stretches of u; it waits for the device, to know which rows are done.

        A stretch is as long as it would have to be if the row decayed at its present mean rate, which is right at once for
        equal times and leaves an error of third order for others; what it has used up of ``strength`` is then integrated.
        """
        rows, left = rows.clone(), rows.new_full((len(rows),), self.strength)
        nodes, shares = 0.5 + _NODES.to(rows.device), _SHARES.to(rows.device)
        going = rows.any(-1).nonzero()[:, 0]
        while len(going):
            row, rate, want = rows[going], time[going], left[going]
            energy = row.square()
            total = energy.sum(-1)
            length = total.sqrt()
            mean = (energy * rate).sum(-1) / total
            fastest = torch.where(energy > _FAINT * total[:, None], rate, 0.0).amax(-1)
            stretch = torch.where(mean > 0, -torch.log1p(-(want * mean / length).clamp_max(1 - 1e-9)) / mean, want / length)
            stretch = stretch.clamp(-_REACH / fastest, _REACH / fastest)[:, None]
            move = -stretch * rate  # forwards below 0; back, after a stretch too long, faint weights may seem to come from far
            decay = torch.exp(2 * (move[..., None] * nodes).clamp_max(_REACH))
            left[going] = want - stretch[:, 0] * ((energy[..., None] * decay).sum(1).sqrt() @ shares)
            gone = want >= _lasts(row, rate)
            further = ~gone & (want.abs() * fastest > 1e-16 * length)  # no further where a weight is not a number
            moved = torch.where(further[:, None], row * torch.exp(move.clamp_max(700.0)), row)
            rows[going] = torch.where(gone[:, None], 0.0, moved)
            going = going[further]
        return rows


def _lasts(row: Float[Tensor, "R W"], rate: Float[Tensor, "R W"]) -> Float[Tensor, "R"]:
    """What ∫₀^∞ ‖w e^(-τv)‖ dv is at most, by Cauchy and Schwarz with the weight e^(-τv) of the smallest τ; exact for equal τ."""
    there = row != 0
    slowest = torch.where(there, rate, torch.inf).amin(-1, keepdim=True)
    return torch.where(there, row.square() / (slowest * (2 * rate - slowest)), 0.0).sum(-1).sqrt()
