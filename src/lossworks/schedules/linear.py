"""Down in a straight line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from .base import Schedule, schedules
from .length import Clock


@schedules.add("linear", source="Devlin et al. 2019, arXiv:1810.04805, appendix A.2")
@dataclass(frozen=True, kw_only=True)
class Linear(Schedule):
    """factor = 1 - (1 - final) · t / T, with t of the T steps after the warm-up done.

    Domain: 0 <= final <= 1, warmup >= 0.  Limit: final = 1 is constant.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        domains.fraction(self, "final")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        return 1 - (1 - self.final) * min(1.0, step / steps)
