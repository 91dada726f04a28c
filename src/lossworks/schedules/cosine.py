"""Down along half a wave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from .base import Schedule, cosine, schedules
from .length import Clock


@schedules.add("cosine", source="Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts")
@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """factor = final + (1 - final) (1 + cos(π t / T)) / 2, with t of the T steps after the warm-up done.

    Domain: 0 <= final <= 1, warmup >= 0.  Limit: final = 1 is constant.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        domains.fraction(self, "final")

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        return self.final + (1 - self.final) * cosine(step / steps)
