"""Down whenever the held-out score has stopped falling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from ..core.errors import UsageError
from .base import Schedule, schedules
from .length import Clock


@schedules.add("plateau", source="PyTorch's ReduceLROnPlateau; Bottou & Bousquet 2008, NIPS 20, on why")
@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """factor = gamma^k, after the k-th time that ``patience`` evaluations in a row did not better the best held-out score.

    An evaluation betters it by falling below (1 - threshold) times it.
    Domain: 0 <= gamma <= 1, patience >= 1, 0 <= threshold < 1, 0 <= final <= 1 (never below it), warmup >= 0.
    """

    gamma: float = 0.5
    patience: int = 1
    threshold: float = 1e-4
    final: float = 0.0

    def __post_init__(self) -> None:
        domains.fraction(self, "gamma", "threshold", "final")
        if self.patience < 1:
            raise UsageError(f"patience is {self.patience}; wanted 1 or more evaluations.")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        factor, best, stale = 1.0, math.inf, 0
        for score in scores:
            bar = best - self.threshold * abs(best) if math.isfinite(best) else math.inf
            best, stale = (score, 0) if score < bar else (best, stale + 1)
            if stale == self.patience:
                factor, stale = factor * self.gamma, 0
        return max(self.final, factor)
