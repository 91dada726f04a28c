"""The same rate throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .base import Schedule, schedules
from .length import Clock


@schedules.add("constant", source="Robbins & Monro 1951, Ann. Math. Stat. 22:400, with steps that do not fall")
@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """factor = 1, after the warm-up.

    Domain: warmup >= 0.
    """

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        return 1.0
