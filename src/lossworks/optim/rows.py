"""A parameter that is stepped by rows: a table's touched ones, or all of any other's."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..core.errors import UsageError
from ..data import Batch, SparseEmbedding
from .array_rows import ArrayRows
from .base import Optimizer


class Penalty(Protocol):
    """What a step needs of a penalty: see ``penalties.Penalty``."""

    @property
    def is_smooth(self) -> bool:
        """Whether it has a gradient everywhere."""

    def value(self, weight: Tensor) -> Tensor:
        """What it adds to the loss."""

    def prox(self, weight: Tensor, time: Tensor | float) -> Tensor:
        """Where ``weight`` stands after it has flowed for ``time``."""


def has_rows(p: Tensor) -> bool:
    """Whether the rows of a parameter can be worked on as they lie in memory."""
    return p.device.type == "cpu" and p.dtype in (torch.float32, torch.float64) and p.ndim > 0 and p.is_contiguous()


def taken(p: Tensor) -> Tensor | None:
    """The gradient of a parameter, which then has none."""
    gradient, p.grad = p.grad, None
    return gradient if gradient is None or not gradient.is_sparse else gradient.coalesce()


class Rows(ArrayRows):
    """Steps one parameter by an optimiser that works on rows, and catches up with the penalty of rows at rest."""

    def __init__(self, parameter: Tensor, table: SparseEmbedding | None, optimizer: Optimizer, penalty: Penalty | None) -> None:
        super().__init__(parameter.detach().reshape(len(parameter), -1).numpy(), optimizer)
        self.parameter, self.table = parameter, table
        self.penalty = penalty if parameter.ndim > 1 else None
        if table is not None:
            table.gradient = self.gradient
        if self.penalty is not None:
            self.flowed = np.zeros(len(self.scalars))

    def catch_up(self, batch: Batch | None) -> None:
        """Let the penalty flow on the rows that ``batch`` reads, up to now."""
        if self.penalty is not None and self.table is not None and batch is not None:
            self.gradient.touch(batch)
            self._prox(torch.from_numpy(self.gradient.rows()))

    def collect(self) -> None:
        """Take the gradient over from a parameter that is no table."""
        given = self.parameter.grad
        if given is None:
            return
        if given.is_sparse:
            if self.penalty is not None:  # nobody says which rows are read before they are
                raise UsageError("a penalty cannot be combined with sparse gradients. Build the embedding without sparse=True.")
            given = given.coalesce()
            self.gradient.fill_rows(given.indices()[0].numpy(), given.values().reshape(-1, self.scalars.shape[1]).numpy())
        else:
            self.gradient.fill(given.reshape(self.scalars.shape).numpy())
        self.parameter.grad = None

    def take(self) -> Tensor | None:
        """The gradient gathered so far, which then stands nowhere; a table's sparse, its rows in their order."""
        if self.table is None:
            return taken(self.parameter)
        at = np.sort(self.gradient.rows())
        values = self.gradient.total[at]
        self.gradient.clear()
        if not len(at):
            return None
        of = torch.from_numpy(at)[None], torch.from_numpy(values), self.parameter.shape
        return torch.sparse_coo_tensor(*of, is_coalesced=True, check_invariants=False)

    def give(self, gradient: Tensor | None) -> None:
        """Have the sum of what was taken stand, here or elsewhere."""
        if self.table is None or gradient is None:
            self.parameter.grad = gradient
            return
        at = gradient.indices()[0]
        if self.penalty is not None:
            self._prox(at)  # rows that were read elsewhere alone
        self.gradient.fill_rows(at.numpy(), gradient.values().numpy())

    def scale(self, by: float) -> None:
        """Multiply the gradient."""
        self.gradient.total[self.gradient.rows()] *= by

    def step(self, step: int, lr: float) -> None:
        """Step number ``step``, from 1."""
        if self.table is None and not self.gradient.counts.any():
            return
        self.optimizer.update_rows(self.scalars, self.state, self.gradient, step, lr)
        if self.penalty is not None:
            self.clock += lr
            self._prox(torch.from_numpy(self.gradient.rows()))

    def catch_up_all(self) -> None:
        """Let the penalty flow on every row, up to now."""
        if self.penalty is not None:
            self._prox(torch.arange(len(self.scalars)))

    @torch.no_grad()
    def _prox(self, rows: Tensor) -> None:
        """Run the penalty on ``rows`` from when each was last brought up to date until now."""
        assert self.penalty is not None
        flowed = torch.from_numpy(self.flowed)
        weight = torch.from_numpy(self.scalars)
        time = (self.clock[0] - flowed[rows])[:, None].to(weight.dtype)
        state = {name: torch.from_numpy(value)[rows] for name, value in self.state.items()}
        weight[rows] = self.penalty.prox(weight[rows], time / self.optimizer.divisor(state))
        flowed[rows] = self.clock[0]
