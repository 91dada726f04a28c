"""What a course asks of others: of what it trains, and of what takes many steps at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .distributed import World

Rows = Any
"""The rows of a step, as the objective has them."""


class Stretch(Protocol):
    """Takes several steps on the stepper's rows, at some learning rates, up to the first that is none of its business.

    Returns, of each step that was taken, Σ weight · loss and the weight. Its bits do not depend on how many are taken at once.
    The last one's gradient still stands.
    """

    def __call__(self, steps: Sequence[Rows], rates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Take them."""


class Judged(Protocol):
    """What a course must know of what it trains; ``engine.Objective`` says it."""

    @property
    def metric(self) -> str:
        """The name of the held-out score that training is judged by."""

    @property
    def unit(self) -> str:
        """What a step's size counts: "examples" or "tokens"."""

    def steps(self, epoch: int) -> Iterator[Rows] | Sequence[Rows]:
        """The rows of each step of an epoch."""

    def size(self, rows: Rows) -> int:
        """How many examples or tokens they are."""

    def held_out(self, world: World) -> dict[str, float] | None:
        """The held-out score and what else is known of the validation part."""
