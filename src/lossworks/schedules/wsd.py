"""Warm-up, stable, decay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from .base import Schedule, schedules
from .length import Clock, Length


@schedules.add("wsd", source="Hu et al. 2024, arXiv:2404.06395; the decay: Hägele et al. 2024, arXiv:2405.18392")
@dataclass(frozen=True, kw_only=True)
class WSD(Schedule):
    """factor = 1, and over the last ``decay`` steps 1 - (1 - final) √(share of them done): warm-up, stable, decay.

    Domain: 0 <= final <= 1, decay >= 0, warmup >= 0.  Limit: decay = 0 is constant.
    """

    decay: Length = Length("20%")
    final: float = 0.0

    def __post_init__(self) -> None:
        domains.fraction(self, "final")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        falling = min(steps, self.decay.steps(clock))
        done = step - (steps - falling)
        return 1.0 if done <= 0 or not falling else 1 - (1 - self.final) * math.sqrt(min(1.0, done / falling))
