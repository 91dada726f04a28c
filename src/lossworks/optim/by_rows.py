"""Parameters stepped by rows, by code of ours: what ``Whole`` is for those that PyTorch's interface steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..data import Batch
from .base import Optimizer
from .rows import Rows
from .whole import Suited


class ByRows:
    """Steps each of ``rows``, in the order of the parameters. Methods are those of ``Whole``."""

    wants_curvature = False

    def __init__(self, rows: list[Rows], optimizer: Optimizer) -> None:
        self.rows, self.optimizer = rows, optimizer

    def step(self, number: int, factor: float, closure: Callable[[], float] | None, check: Callable[[], None]) -> None:
        """Take a step; none of these optimisers evaluates the loss again."""
        for rows in self.rows:
            rows.step(number, self.optimizer.lr * factor)

    def to(self, *, training: bool) -> None:
        """Before weights are read, bring every row up to date."""
        if not training:
            for rows in self.rows:
                rows.catch_up_all()

    def catch_up(self, batch: Batch | None) -> None:
        """Bring the rows that ``batch`` reads up to date."""
        for rows in self.rows:
            rows.catch_up(batch)

    def divisor(self, parameter: Tensor) -> Tensor | float:
        """As of ``Stepper``."""
        rows = next(rows for rows in self.rows if rows.parameter is parameter)
        state = {name: torch.from_numpy(value) for name, value in rows.state.items()}
        return torch.as_tensor(self.optimizer.divisor(state)).expand(rows.scalars.shape).reshape(parameter.shape)

    def tensors(self) -> dict[str, Tensor]:
        """What is kept for each parameter, as named tensors."""
        return {f"rows.{name}": torch.from_numpy(array) for name, array in self._arrays().items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave."""
        for name, array in self._arrays().items():
            array[...] = state[f"rows.{name}"].numpy()

    def go_on(self, state: dict[str, Tensor], suited: Suited) -> None:
        """Take up the state of another training, as of ``Stepper.go_on``: its penalty was up to date, and begins anew."""
        for number, rows in enumerate(self.rows):
            shape = rows.parameter.shape
            begun = {held: torch.from_numpy(array).view(shape) for held, array in rows.state.items()}
            kept = {held: state[f"rows.{number}.{held}"] for held in begun}
            for held, value in suited(rows.parameter, kept, begun).items():
                begun[held].copy_(value)

    def parameter(self, name: str) -> Tensor | None:
        """None: no state has the shape of a parameter that is divided."""
        return None

    def _arrays(self) -> dict[str, Any]:
        return {f"{number}.{held}": array for number, rows in enumerate(self.rows) for held, array in rows.arrays().items()}
