"""What an optimiser keeps of a linear model whose weights are arrays, and what is known of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import optim
from ..optim.array_rows import ArrayRows
from ..optim.health import Watch
from ..optim.leaping import Leaping

TABLE, BIAS = "table.weight", "bias"
"""The names of the weights."""


class ArrayStepper(Leaping):
    """Knows of steps that compiled code takes on ``rows``, by the names of the weights."""

    def __init__(self, optimizer: optim.Optimizer, rows: dict[str, ArrayRows]) -> None:
        self.optimizer, self.rows = optimizer, rows
        self.steps, self.clipped, self.lr = 0, 0, optimizer.lr

    def zero_grad(self) -> None:
        for rows in self.rows.values():
            rows.gradient.clear()

    def eval_weights(self) -> None:
        pass

    def tensors(self) -> dict[str, NDArray[Any]]:
        """By the names that ``Stepper`` gives, which goes on from them."""
        name = np.frombuffer(optim.base.name(self.optimizer).encode(), np.uint8)
        state = {"steps": np.array(self.steps), "clipped": np.array(self.clipped), "optimizer": name}
        return state | self._arrays()

    def load(self, state: dict[str, NDArray[Any]]) -> None:
        """Take up what ``tensors`` gave."""
        optim.base.check_state(bytes(state["optimizer"]).decode(), optim.base.name(self.optimizer))
        self.steps, self.clipped = int(state["steps"]), int(state["clipped"])
        for name, array in self._arrays().items():
            array[...] = state[name]

    def not_finite(self) -> list[str]:
        """The weights whose gradient has nan or infinity."""
        return [name for name, rows in self.rows.items() if not rows.gradient.is_finite]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        pairs = enumerate(self.rows.values())
        return {f"rows.{number}.{held}": array for number, rows in pairs for held, array in rows.arrays().items()}

    def _watch(self) -> Watch:
        return Watch([(self.rows[BIAS].scalars, "vector"), (self.rows[TABLE].scalars, "head")])

    def _norm(self) -> float:
        return float(np.sqrt(sum(rows.squares() for rows in self.rows.values())))
