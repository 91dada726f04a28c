"""Time that a test winds."""

from __future__ import annotations


class WoundClock:
    """A clock that moves only where a test winds it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
