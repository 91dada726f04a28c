"""What the optimisers share that PyTorch has not: the shape of a step, and rules for single weights that run everywhere.

A rule says where one weight and its state go, ``rule(gradient, weight, *state, *numbers) -> (weight, *state)``, in plain
arithmetic and functions of ``np``. On the processor it is compiled into one pass over memory, divided among threads; on any
other device, and for other number types, the same rule runs on whole tensors, for PyTorch spells those functions alike.
"""

from __future__ import annotations

import functools
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..core.threads import share

Rule = Any  # a function compiled by numba
_COMPILED = (torch.float32, torch.float64)


class Own(torch.optim.Optimizer, ABC):
    """A PyTorch optimiser over groups of parameters; ``update`` says what a step does to those of one group."""

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
            if any(p.grad.is_sparse for p in given):
                raise UsageError(f"{type(self).__name__} needs whole gradients, got a sparse one. {SPARSE_REMEDY}")
            if given:
                parts.append((given, group))
        self.update_together(parts)
        return loss

    def update_together(self, parts: list[tuple[list[Tensor], dict[str, Any]]]) -> None:
        """One step of all parameters that have a gradient, by groups; here each group for itself."""
        for parameters, group in parts:
            self.update(parameters, group)

    @abstractmethod
    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """One step of parameters that have a gradient; ``group`` has their ``lr``, ``weight_decay`` and ``role``."""


def restore(optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]) -> None:
    """Put the tensors of a saved state back exactly: PyTorch has rounded them to the parameters' dtype."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, held in state_dict["state"].items():
        state = optimizer.state[parameters[number]]
        state.update({n: v.to(state[n].device, copy=True) for n, v in held.items() if isinstance(v, Tensor)})


SPARSE_REMEDY = (
    "Build the embedding without sparse=True, or use adagrad, gradient_descent, rmsprop or sgd on the processor, plain: "
    "without momentum, weight_decay and an average of weights they work on rows."
)


def number_type(parameter: Tensor) -> torch.dtype:
    """What a parameter's state is kept in: never less than float32."""
    return parameter.dtype if parameter.dtype in _COMPILED else torch.float32


def elementwise(kernel: Rule, rule: Rule, tensors: Sequence[Tensor], *numbers: float) -> None:
    """Take ``tensors``, a parameter and its state, one step by ``rule``, in place.

    ``kernel(part, parts, gradient, *tensors, *numbers)`` is the rule compiled into a loop over the ``part`` of ``parts``.
    """
    gradient = tensors[0].grad
    assert gradient is not None
    every = [gradient, *tensors]
    kind = tensors[0].dtype
    if kind in _COMPILED and all(t.device.type == "cpu" and t.dtype == kind and t.is_contiguous() for t in every):
        flat = [t.detach().view(-1).numpy() for t in every]
        exact = flat[0].dtype.type  # a plain float would have all of a float32 tensor worked on in float64
        share(kernel, gradient.numel(), *flat, *map(exact, numbers))
        return
    wide = number_type(tensors[0])
    after = _on_tensors(rule)(*(t.to(wide) for t in every), *numbers)
    for tensor, value in zip(tensors, after if isinstance(after, tuple) else (after,), strict=True):
        tensor.copy_(value)


@functools.cache
def _on_tensors(rule: Rule) -> Callable[..., Any]:
    """The rule with PyTorch's functions in the place of NumPy's."""
    plain = rule.py_func
    world = {**plain.__globals__, "np": torch}
    called = {name: world[name] for name in plain.__code__.co_names if hasattr(world.get(name), "py_func")}
    return types.FunctionType(plain.__code__, world | {name: _on_tensors(f) for name, f in called.items()}, plain.__name__)
