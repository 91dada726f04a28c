"""A rule on many tensors at once by PyTorch's own functions: on devices and in dtypes that the compiled loop does not work on.

On a GPU a step of a small tensor takes no longer than starting it, so a function is called once for all tensors, not for each.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .multi_tensor import Row, Rule, state_dtype

_AT_ONCE = 2**26
"""Numbers of the parameters that go through a rule together: what a rule works out on the way takes a few times their memory."""


def run(rule: Rule, rows: Sequence[Row]) -> None:
    """Take each row one step by ``rule``, in place: a gradient, its parameter and state, of any dtypes and devices."""
    for alike, scalars in _batches(rows):
        dtype = state_dtype(alike[0][1])
        gradients, *held = map(list, zip(*alike, strict=True))
        after = _by_torch(rule)(*(Together([t.to(dtype) for t in column]) for column in (gradients, *held)), *scalars)
        for column, moved in zip(held, after if isinstance(after, tuple) else (after,), strict=False):
            torch._foreach_copy_(column, moved.tensors)


def _batches(rows: Sequence[Row]) -> list[tuple[list[Sequence[Tensor]], Sequence[float]]]:
    """The rows that can go together: of the same device, dtypes and scalars, and not too many."""
    found: list[tuple[list[Sequence[Tensor]], Sequence[float]]] = []
    open_: dict[Any, tuple[list[Sequence[Tensor]], int]] = {}
    for tensors, scalars in rows:
        size, key = tensors[1].numel(), (tensors[1].device, tensors[1].dtype, tuple(scalars))
        alike, held = open_.get(key, ([], _AT_ONCE))
        if held + size > _AT_ONCE:
            alike, held = [], 0
            found.append((alike, scalars))
        alike.append(tensors)
        open_[key] = alike, held + size
    return found


class Together:
    """Tensors that stand for one number each time a rule names it."""

    __slots__ = ("tensors",)

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)

    def __add__(self, other: Together | float) -> Together:
        return _call(torch._foreach_add, self, other)

    def __sub__(self, other: Together | float) -> Together:
        return _call(torch._foreach_sub, self, other)

    def __mul__(self, other: Together | float) -> Together:
        return _call(torch._foreach_mul, self, other)

    def __truediv__(self, other: Together | float) -> Together:
        return _call(torch._foreach_div, self, other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Together:
        return _call(torch._foreach_neg, self)

    def __rsub__(self, other: float) -> Together:
        return -self + other

    def __rtruediv__(self, other: float) -> Together:
        return _call(torch._foreach_reciprocal, self) * other


def _call(function: Callable[..., Any], *arguments: Together | float) -> Together:
    """One of PyTorch's functions of lists of tensors."""
    return Together(function(*(each.tensors if isinstance(each, Together) else each for each in arguments)))


def _larger(together: Together, other: Together | float) -> Together:
    return _call(torch._foreach_maximum if isinstance(other, Together) else torch._foreach_clamp_min, together, other)


_FUNCTIONS = types.SimpleNamespace(
    sqrt=functools.partial(_call, torch._foreach_sqrt),
    sign=functools.partial(_call, torch._foreach_sign),
    abs=functools.partial(_call, torch._foreach_abs),
    maximum=_larger,
    minimum=functools.partial(_call, torch._foreach_clamp_max),
)
"""What rules call of NumPy."""


@functools.cache
def _by_torch(rule: Rule) -> Callable[..., Any]:
    """The rule with PyTorch's functions instead of NumPy's."""
    plain = rule.py_func
    world = {**plain.__globals__, "np": _FUNCTIONS}
    called = {name: world[name] for name in plain.__code__.co_names if hasattr(world.get(name), "py_func")}
    return types.FunctionType(plain.__code__, world | {name: _by_torch(f) for name, f in called.items()}, plain.__name__)
