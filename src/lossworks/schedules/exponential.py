"""Down by the same share in every equal stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from .base import Schedule, check_long, schedules
from .length import Clock, Length


@schedules.add("exponential", source="PyTorch's ExponentialLR, with gamma a stretch of any length")
@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """factor = gamma^(t / every), with t the steps since the warm-up.

    Domain: 0 <= gamma <= 1, every > 0, warmup >= 0.  Limit: gamma = 1 is constant.
    """

    gamma: float = 0.1
    every: Length = Length("33%")

    def __post_init__(self) -> None:
        domains.fraction(self, "gamma")
        check_long(self, "every")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        return float(self.gamma ** (step / self.every.steps(clock)))
