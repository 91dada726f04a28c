"""One shell for every optimiser: it sorts a model's parameters, applies the penalty, and saves and loads state."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..batches import Batch, RowGradient, Table
from .base import Optimizer


class Flow(Protocol):
    """What the shell needs of a penalty: see ``penalties.Penalty.flow``."""

    def flow(self, weight: Tensor, time: Tensor | float) -> Tensor:
        """Where ``weight`` stands after the penalty has flowed for ``time``."""


class Shell:
    """Steps a model's parameters by an optimiser and a penalty.

    Use at each step, for each of its batches: ``prepare(batch)``, then forward and backward; then once ``step()``.
    ``settle()`` before the weights are read (evaluated, saved). On the processor, an optimiser that can work on rows does
    so for every parameter; its tables then cost what their touched rows do.
    """

    def __init__(self, optimizer: Optimizer, model: nn.Module, penalty: Flow | None = None) -> None:
        self.optimizer, self.penalty = optimizer, penalty
        parameters = list(model.parameters())
        by_rows = optimizer.row_state is not None and all(p.device.type == "cpu" for p in parameters)
        # With a penalty the step size of a row at rest must stand still, or its flow could not be caught up with.
        by_rows = by_rows and (penalty is None or "seen" not in (optimizer.row_state or ()))
        tables = {m.weight: m for m in model.modules() if isinstance(m, Table)}
        for table in tables.values():
            table.gradient = None  # another shell may have been here
        self._rows = [_Rows(p, tables.get(p), optimizer, penalty) for p in parameters] if by_rows else []
        self._dense = [] if by_rows else parameters
        self._torch = None if by_rows else optimizer.torch(list(parameters))
        self.steps = 0

    @property
    def by_rows(self) -> bool:
        """Whether parameters are stepped by rows, by code of ours; PyTorch's optimiser does it otherwise."""
        return self._torch is None

    def prepare(self, batch: Batch) -> None:
        """Bring the rows that ``batch`` reads up to date."""
        for rows in self._rows:
            rows.catch_up(batch)

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter with the gradients gathered since ``prepare``."""
        self.steps += 1
        for rows in self._rows:
            rows.step(self.steps)
        if self._torch is None:
            return
        self._torch.step()
        if self.penalty is not None:
            for parameter in self._dense:
                if parameter.ndim > 1 and parameter.grad is not None:
                    time = self.optimizer.lr / self.optimizer.divisor(self._torch.state[parameter])
                    parameter.copy_(self.penalty.flow(parameter, time))
        self._torch.zero_grad()

    @torch.no_grad()
    def settle(self) -> None:
        """Bring every row up to date."""
        for rows in self._rows:
            rows.settle()

    def tensors(self) -> dict[str, Tensor]:
        """All state, as named tensors; ``load`` takes them back exactly."""
        state: dict[str, Tensor] = {"steps": torch.tensor(self.steps)}
        for number, rows in enumerate(self._rows):
            state |= {f"rows.{number}.{name}": torch.from_numpy(value) for name, value in rows.arrays().items()}
        if self._torch is not None:
            for number, values in self._torch.state_dict()["state"].items():
                state |= {f"dense.{number}.{name}": torch.as_tensor(value) for name, value in values.items() if value is not None}
        return state

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave."""
        self.steps = int(state["steps"])
        for number, rows in enumerate(self._rows):
            for name, array in rows.arrays().items():
                array[...] = state[f"rows.{number}.{name}"].numpy()
        if self._torch is not None:
            packed: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                if key.startswith("dense."):
                    _, number_text, name = key.split(".", 2)
                    packed.setdefault(int(number_text), {})[name] = value.clone()
            self._torch.load_state_dict({**self._torch.state_dict(), "state": packed})


class _Rows:
    """A parameter that is stepped by rows: a table's touched ones, or all of any other's."""

    def __init__(self, parameter: nn.Parameter, table: Table | None, optimizer: Optimizer, penalty: Flow | None) -> None:
        self.parameter, self.optimizer = parameter, optimizer
        self.penalty = penalty if parameter.ndim > 1 else None
        self.numbers: NDArray[Any] = parameter.detach().reshape(len(parameter), -1).numpy()
        self.gradient = RowGradient(len(self.numbers), self.numbers.shape[1], self.numbers.dtype)
        self.table = table
        if table is not None:
            table.gradient = self.gradient
        self.state = {name: np.zeros_like(self.numbers) for name in optimizer.row_state or ()}
        if "sum" in self.state:
            self.state["sum"][:] = getattr(optimizer, "initial", 0.0)
        self.clock = np.zeros(1)  # how long the penalty has flowed, in units of lr
        self.flowed = np.zeros(len(self.numbers) if self.penalty else 0)  # and up to when for each row

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {**self.state, "clock": self.clock, "flowed": self.flowed}

    def catch_up(self, batch: Batch) -> None:
        if self.penalty is not None and self.table is not None:
            self.gradient.touch(batch)
            self._flow(torch.from_numpy(self.gradient.rows()))

    def step(self, step: int) -> None:
        if self.table is None:
            if self.parameter.grad is None:
                return
            self.gradient.fill(self.parameter.grad.reshape(self.numbers.shape).numpy())
            self.parameter.grad = None
        self.optimizer.update_rows(self.numbers, self.state, self.gradient, step)
        if self.penalty is not None:
            self.clock += self.optimizer.lr
            self._flow(torch.from_numpy(self.gradient.rows()))
        self.gradient.clear()

    def settle(self) -> None:
        if self.penalty is not None:
            self._flow(torch.arange(len(self.numbers)))

    @torch.no_grad()
    def _flow(self, rows: Tensor) -> None:
        """Run the penalty on ``rows`` from when each was last brought up to date until now."""
        assert self.penalty is not None
        flowed = torch.from_numpy(self.flowed)
        weight = torch.from_numpy(self.numbers)
        time = (self.clock[0] - flowed[rows])[:, None].to(weight.dtype)
        state = {name: torch.from_numpy(value)[rows] for name, value in self.state.items()}
        weight[rows] = self.penalty.flow(weight[rows], time / self.optimizer.divisor(state))
        flowed[rows] = self.clock[0]
