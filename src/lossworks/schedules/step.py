"""Down in stairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .base import schedules
from .exponential import Exponential
from .length import Clock


@schedules.add("step", source="Krizhevsky, Sutskever & Hinton 2012, NIPS 25, section 5; PyTorch's StepLR")
@dataclass(frozen=True, kw_only=True)
class Step(Exponential):
    """factor = gamma^⌊t / every⌋, with t the steps since the warm-up.

    Domain: 0 <= gamma <= 1, every > 0, warmup >= 0.  Limit: gamma = 1 is constant.
    """

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        return float(self.gamma ** math.floor(step / self.every.steps(clock) + 1e-9))
