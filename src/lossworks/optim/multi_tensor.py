"""One pass over many tensors: the loop that a rule for single weights is compiled into, and where the tensors lie in memory.

A step of a small model is over in the time of a few dozen calls from Python, so there is one for all its tensors: they go into
compiled code as a table of addresses. All their scalars count as one row, of which every thread has a part of the same length.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import carray, njit, types  # type: ignore[attr-defined]
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from ..core.threads import share

Rule = Any  # a function compiled by numba
Row = tuple[Sequence[Tensor], Sequence[float]]
"""Tensors of one shape, and the scalars that go with them."""
# A division by zero is no exception here but infinite: the check for it would keep the loops from the CPU's vector instructions.
compiled = njit(cache=True, nogil=True, error_model="numpy")
COMPILED = {torch.float32: np.float32, torch.float64: np.float64}
"""The dtypes that compiled code works on."""


def state_dtype(parameter: Tensor) -> torch.dtype:
    """What a parameter's state is kept in: never less than float32."""
    return parameter.dtype if parameter.dtype in COMPILED else torch.float32


def runs_compiled(tensors: Sequence[Tensor]) -> bool:
    """Whether compiled code, which trusts that there are as many scalars of each, can work on them as they lie in memory."""
    kind, size = tensors[0].dtype, tensors[0].numel()
    for t in tensors:  # a loop: most of what a step costs beside the compiled code is this
        if t.dtype is not kind or t.numel() != size or not t.is_cpu or not t.is_contiguous():
            return False
    return kind in COMPILED


def tabulated(rows: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """For compiled code: where the tensors of each row begin, how many scalars they have, and the row's own, in their type."""
    addresses = np.fromiter((t.data_ptr() for tensors, _ in rows for t in tensors), np.int64).reshape(len(rows), -1)
    sizes = np.array([tensors[0].numel() for tensors, _ in rows])
    exact = COMPILED[rows[0][0][0].dtype]  # a plain float would have all of a float32 tensor worked on in float64
    return addresses, sizes, np.array([scalars for _, scalars in rows], exact)


def run(rule: Rule, rows: Sequence[Row]) -> None:
    """Take each row one step by ``rule``, in place: a gradient, its parameter and state, all of one dtype."""
    addresses, sizes, scalars = tabulated(rows)
    share(_loop(rule, addresses.shape[1]), int(sizes.sum()), addresses, sizes, scalars)


_LOOP = """
def loop(part, parts, addresses, sizes, scalars):
    total = sizes.sum()
    begin, end = total * part // parts, total * (part + 1) // parts
    for t in range(len(sizes)):
        low, high = max(begin, 0), min(end, sizes[t])
        begin, end = begin - sizes[t], end - sizes[t]
        if low < high:
            {arrays} = {views}
            {scalars} = {own}
            for i in range(high - low):
                {moved} = rule({values}, {scalars})
"""


@functools.cache
def _loop(rule: Rule, count: int) -> Rule:
    """The rule over ``count`` arrays, compiled. Numba keeps it on disk as if it stood in the rule's file, until that changes."""
    plain = rule.py_func
    arguments = plain.__code__.co_argcount
    after = plain(*[np.float64(1)] * arguments)
    arrays, scalars = [f"a{n}" for n in range(count)], [f"n{n}" for n in range(arguments - count)]
    moved = arrays[1 : 1 + (len(after) if isinstance(after, tuple) else 1)]
    source = _LOOP.format(
        arrays=", ".join(arrays),
        views=", ".join(f"array(addresses[t, {n}], low, high, scalars[t, 0])" for n in range(count)),
        scalars=", ".join(scalars),
        own=", ".join(f"scalars[t, {n}]" for n in range(len(scalars))),
        moved=", ".join(f"{a}[i]" for a in moved),
        values=", ".join(f"{a}[i]" for a in arrays),
    )
    world: dict[str, Any] = {"rule": rule, "array": array, "__name__": plain.__module__}
    exec(compile(source, plain.__code__.co_filename, "exec"), world)
    world["loop"].__qualname__ = f"{plain.__qualname__}.loop"
    return compiled(world["loop"])


@compiled
def array(address, low, high, like):  # type: ignore[no-untyped-def]
    """Numbers ``low`` to ``high`` of those at ``address``, of the type of ``like``. An array of its own, for a loop that starts
    anywhere but at 0 does not use the CPU's vector instructions.
    """
    return carray(_pointer(address, low, like), high - low)  # type: ignore[call-arg]


@intrinsic
def _pointer(typing: Any, address: Any, low: Any, like: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(builder.inttoptr(arguments[0], context.get_value_type(signature.return_type)), [arguments[1]])

    return types.CPointer(like)(address, low, like), build
