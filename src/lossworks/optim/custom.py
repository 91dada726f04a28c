"""What the optimisers share that PyTorch has not: the shape of a step, and rules for single weights that run everywhere.

A rule says where one weight and its state go, ``rule(gradient, weight, *state, *scalars) -> (weight, *state)``, in plain
arithmetic and functions of ``np``. On the CPU it is compiled into one pass over memory, divided among threads; on any
other device, and for other dtypes, the same rule runs on all tensors at once, with PyTorch's functions instead of NumPy's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core.errors import UsageError
from . import foreach
from .multi_tensor import Row, Rule, run, runs_compiled, state_dtype

Part = tuple[list[Tensor], dict[str, Any]]
"""Parameters that have a gradient, and their group, which has their ``lr``, ``weight_decay`` and ``role``."""


class CustomOptimizer(torch.optim.Optimizer, ABC):
    """A PyTorch optimiser over groups of parameters; ``update_together`` says what a step does to those with a gradient."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step with the gradients that stand in the parameters, or with those that ``closure`` makes."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        parts = []
        for group in self.param_groups:
            given = [p for p in group["params"] if p.grad is not None]
            if given:
                parts.append((given, group))
        self.update_together(parts)
        return loss

    @abstractmethod
    def update_together(self, parts: list[Part]) -> None:
        """One step of all parameters that have a gradient, by groups."""


class ByGroup(CustomOptimizer):
    """An optimiser that steps each group for itself."""

    def update_together(self, parts: list[Part]) -> None:
        for parameters, group in parts:
            self.update(parameters, group)

    @abstractmethod
    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """One step of the parameters of ``group`` that have a gradient."""


class OneRule(CustomOptimizer):
    """An optimiser whose step is one rule for single weights."""

    rule: ClassVar[staticmethod[Any, Any]]

    def update_together(self, parts: list[Part]) -> None:
        elementwise(self.rule, [row for parameters, group in parts for row in self.rows(parameters, group)])

    @abstractmethod
    def rows(self, parameters: list[Tensor], group: dict[str, Any]) -> Iterable[Row]:
        """What the rule is to work on: each parameter with its state, and the scalars of the step."""


def restore(optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]) -> None:
    """Put the tensors of a saved state back exactly: PyTorch has rounded them to the parameters' dtype."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, held in state_dict["state"].items():
        state = optimizer.state[parameters[number]]
        state.update({n: v.to(state[n].device, copy=True) for n, v in held.items() if isinstance(v, Tensor)})


def check_whole(optimizer: torch.optim.Optimizer) -> None:
    """Raise UsageError where a gradient is sparse."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None and p.grad.is_sparse:
                raise UsageError(
                    f"{type(optimizer).__name__.lstrip('_')} needs whole gradients, got a sparse one of {tuple(p.shape)}. "
                    "Build the embedding without sparse=True, or step it by a Stepper, which makes them whole."
                )


def moments(state: dict[str, Any], parameter: Tensor, *names: str) -> list[Tensor]:
    """The tensors of these names in the state of ``parameter``, zero where they are new."""
    for name in names:
        if name not in state:
            state[name] = torch.zeros_like(parameter, dtype=state_dtype(parameter))
    return [state[name] for name in names]


def by_step(states: Mapping[Tensor, dict[str, Any]], parameters: list[Tensor]) -> dict[int, list[Tensor]]:
    """The parameters by the number of the step that begins here, from 1, which is counted in the state of each."""
    for p in parameters:
        if "step" not in states[p]:
            states[p]["step"] = torch.zeros((), dtype=torch.int64)
    counts = [states[p]["step"] for p in parameters]
    torch._foreach_add_(counts, 1)
    found: dict[int, list[Tensor]] = {}
    for p, step in zip(parameters, torch.stack(counts).tolist(), strict=True):
        found.setdefault(step, []).append(p)
    return found


def elementwise(rule: Rule, rows: Iterable[Row]) -> None:
    """Take each of ``rows``, a parameter and its state with the rule's scalars, one step by ``rule``, in place.

    State that the rule leaves out stands still. Every number has the parameter's precision.
    """
    together, others = by_memory(rows)
    for alike in together:
        run(rule, alike)
    foreach.run(rule, others)


def by_memory(rows: Iterable[Row]) -> tuple[list[list[Row]], list[Row]]:
    """Rows, their gradient before the parameter: those that compiled code can work on, by dtype; and the others."""
    together: dict[torch.dtype, list[Row]] = {}
    others: list[Row] = []
    for own, scalars in rows:
        gradient = own[0].grad
        assert gradient is not None
        tensors = (gradient, *own)
        (together.setdefault(gradient.dtype, []) if runs_compiled(tensors) else others).append((tensors, scalars))
    return list(together.values()), others
