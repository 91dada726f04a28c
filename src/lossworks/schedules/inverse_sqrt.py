"""Down with the root of the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .base import Schedule, schedules
from .length import Clock, Length


@schedules.add("inverse_sqrt", source="Vaswani et al. 2017, arXiv:1706.03762, eq. 3, with the rate at its top as 1")
@dataclass(frozen=True, kw_only=True)
class InverseSqrt(Schedule):
    """factor = √(warmup / steps done), once the warm-up of so many steps is over.

    Domain: warmup > 0 (0 counts as one step).
    """

    warmup: Length = Length("5%")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        rise = max(1.0, self.warmup.steps(clock))
        return math.sqrt(rise / (rise + step))
