"""Adafactor: Adam's second moment in the memory of a row and a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...core.errors import UsageError
from ..base import Group, Optimizer, optimizers


@optimizers.add("adafactor", source="Shazeer & Stern 2018, arXiv:1804.04235, algorithms 4 and 5")
@dataclass(frozen=True, kw_only=True)
class Adafactor(Optimizer):
    """w ← w - α · u / max(1, RMS(u)/clip) with u = g/√v, α = max(smallest, RMS(w)) · min(lr, 1/√t), and v = r cᵀ / mean(r).

    For a matrix, r and c are moving means of g² over its rows and its columns, in which step t counts t^-decay; a vector has
    v in full. There is no momentum.
    Domain: lr > 0, decay > 0, clip >= 1, smallest > 0.
    PyTorch keeps v above the square of the dtype's rounding, where the paper adds 1e-30 to g².
    """

    lr: float = 0.05
    decay: float = 0.8
    clip: float = 1.0
    smallest: float = 0.001
    positive = ("decay", "clip", "smallest")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clip < 1:
            raise UsageError(f"clip is {self.clip}; wanted a finite number, 1 or more.")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        made = torch.optim.Adafactor(
            groups, lr=self.lr, beta2_decay=-self.decay, eps=(None, self.smallest), d=self.clip, foreach=True
        )
        _note_size(made, self.smallest)
        return made

    def divisor(self, state: dict[str, Any]) -> Tensor:
        if "variance" in state:
            variance: Tensor = state["variance"]
        else:
            rows, columns = state["row_var"], state["col_var"]
            variance = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        size: Tensor = state["size"]
        return variance.sqrt().clamp_min(torch.finfo(variance.dtype).eps) / size


def _note_size(made: torch.optim.Optimizer, smallest: float) -> None:
    """Keep in each state by how much more than ``lr`` the step was multiplied: a penalty flows for as long as the step is."""
    scales: dict[Tensor, float] = {}

    @torch.no_grad()
    def before(*_: Any) -> None:
        given = [p for group in made.param_groups for p in group["params"] if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(given)).tolist() if given else []  # one wait for a device
        scales.update({p: max(smallest, norm / p.numel() ** 0.5) for p, norm in zip(given, norms, strict=True)})

    def after(*_: Any) -> None:
        for group in made.param_groups:
            for p in set(group["params"]) & scales.keys():
                slower = 1 / max(1.0, group["lr"] * float(made.state[p]["step"]) ** 0.5)
                made.state[p]["size"] = torch.tensor(scales.pop(p) * slower)

    made.register_step_pre_hook(before)
    made.register_step_post_hook(after)
