"""Overfitting, by name: held-out loss that has turned while that of training goes on falling."""

from __future__ import annotations

from dataclasses import dataclass, field

_TURNED = 2  # held-out scores above the best, in a row, before it is called so


@dataclass(slots=True)
class Turning:
    """Follows both losses. ``losses``: of training between judgements."""

    amount: float = 0.0
    weight: float = 0.0
    losses: list[float] = field(default_factory=list)

    def add(self, amount: float, weight: float) -> None:
        """Take note of a step's Σ loss and its tokens."""
        self.amount, self.weight = self.amount + amount, self.weight + weight

    def judged(self, scores: list[float], stale: int) -> str | None:
        """What there is to say after the last of the held-out ``scores``, ``stale`` of them since the best."""
        self.losses.append(self.amount / max(self.weight, 1.0))
        self.amount = self.weight = 0.0
        if stale != _TURNED or len(self.losses) <= _TURNED:
            return None
        before, now = self.losses[-1 - _TURNED], self.losses[-1]
        if now >= before:
            return None
        return (
            f"overfitting: the held-out loss rose from {min(scores):.4g} to {scores[-1]:.4g} nats a token while that of training "
            f"fell from {before:.4g} to {now:.4g}. The weights of the lowest are kept. More text, dropout, a smaller model or "
            "fewer steps would help."
        )
