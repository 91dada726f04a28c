"""Steps that other code takes, many in one go, as far as an optimiser's bookkeeping must know of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import Optimizer

if TYPE_CHECKING:
    from .health import Health, Watch


class Leaping(ABC):
    """optimizer: whose rate is stepped at. steps, clipped: taken so far, and those whose gradient was cut. lr: of the latest."""

    optimizer: Optimizer
    steps: int
    clipped: int
    lr: float

    def leap(
        self, take: Callable[[NDArray[np.float64]], int], factors: Sequence[float], *, examine: bool = False
    ) -> Health | None:
        """Have steps taken by code that does all of them: ``take`` is given their learning rates, and says how many it took.

        Args:
            factors: what the schedule multiplies the learning rate of each with.
            examine: also look at what the steps did; the gradient of the last must still stand.
        """
        watch, rates = self._watch() if examine else None, self.optimizer.lr * np.array(factors)
        done = take(rates)
        self.steps += done
        self.lr = float(rates[done - 1]) if done else self.lr
        norm = self._norm() if examine else 0.0
        self.zero_grad()
        return watch.seen(norm) if watch is not None and done else None

    @abstractmethod
    def zero_grad(self) -> None:
        """Leave out the gradients gathered since the last step."""

    @abstractmethod
    def eval_weights(self) -> None:
        """Bring every weight up to date; they are those to evaluate with."""

    @abstractmethod
    def tensors(self) -> dict[str, Any]:
        """All state, as named tensors, or arrays."""

    def whole_tensors(self) -> dict[str, Any]:
        """``tensors``; of weights divided among processes, which then all ask alike, the first has those of whole ones."""
        return self.tensors()

    @abstractmethod
    def _watch(self) -> Watch:
        """The weights as they stand."""

    @abstractmethod
    def _norm(self) -> float:
        """Of the gradient that stands."""
