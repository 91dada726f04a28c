"""A parameter that is stepped by rows, as arrays: its numbers, its gradient, and what its optimiser keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import RowGradient
from .base import Optimizer


class ArrayRows:
    """``scalars`` [rows, width] are the weights themselves."""

    def __init__(self, scalars: NDArray[Any], optimizer: Optimizer) -> None:
        self.scalars, self.optimizer = scalars, optimizer
        self.gradient = RowGradient(len(scalars), scalars.shape[1], scalars.dtype)
        self.state = {name: np.zeros_like(scalars) for name in optimizer.row_state or ()}
        if "sum" in self.state:
            self.state["sum"][:] = getattr(optimizer, "initial", 0.0)
        self.clock = np.zeros(1)  # the learning rates so far: how long a penalty has flowed
        self.flowed = np.zeros(0)  # and up to when for each row

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All state, by name."""
        return {**self.state, "clock": self.clock, "flowed": self.flowed}

    def squares(self) -> float:
        """The sum of the squares of the gradient."""
        touched = self.gradient.total[self.gradient.rows()].astype(np.float64).ravel()
        return float(touched @ touched)
