"""Up once and down once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import domains
from .base import Schedule, cosine, schedules
from .length import Clock, Length


@schedules.add("one_cycle", source="Smith & Topin 2018, arXiv:1708.07120; as half waves: PyTorch's OneCycleLR")
@dataclass(frozen=True, kw_only=True)
class OneCycle(Schedule):
    """factor from ``start`` up to 1 over the warm-up and down to ``final`` over the rest, each along half a wave.

    Domain: 0 <= start, final <= 1, warmup >= 0.  Only the rate cycles; a momentum stays as it is.
    """

    warmup: Length = Length("30%")
    start: float = 0.04
    final: float = 4e-6

    def __post_init__(self) -> None:
        domains.fraction(self, "start", "final")

    def factor(self, step: int, clock: Clock, scores: Sequence[float] = ()) -> float:
        top = max(0.0, self.warmup.steps(clock) - 1)
        if step < top:
            return 1 - (1 - self.start) * cosine(step / top)
        return self.final + (1 - self.final) * cosine((step - top) / max(1.0, clock.steps - 1 - top))

    def after(self, step: float, steps: float, clock: Clock, scores: Sequence[float]) -> float:
        raise AssertionError  # ``factor`` knows both halves
