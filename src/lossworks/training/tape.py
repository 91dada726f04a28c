"""What a loss does to one position and what its derivative is, operation by operation, for compiled code to do again.

``loss_tape`` records it from the loss's own code; this is how it is kept and played, without PyTorch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..core.kernels import kernel

NAMES = (
    "neg", "abs", "sign", "reciprocal", "sqrt", "exp", "expm1", "log", "log1p", "sinh", "cosh", "relu", "add", "sub", "mul",
    "div", "pow", "maximum", "minimum", "logaddexp", "ge", "gt", "le", "lt", "eq", "ne", "logical_and", "where",
)  # fmt: skip
(_NEG, _ABS, _SIGN, _RECIPROCAL, _SQRT, _EXP, _EXPM1, _LOG, _LOG1P, _SINH, _COSH, _RELU, _ADD, _SUB, _MUL, _DIV, _POW,
 _MAXIMUM, _MINIMUM, _LOGADDEXP, _GE, _GT, _LE, _LT, _EQ, _NE, _AND, _WHERE) = range(len(NAMES))  # fmt: skip


class Tape(NamedTuple):
    """The registers of a position are first its inputs, then the constants of its cell, then what each operation makes.

    operations [n, 4]: code and up to three registers. constants [cells, k]: a cell is what a constant can go by, such as the
    target. ends: the registers of the value, and of its derivative by each input that has one.
    """

    operations: NDArray[np.int64]
    constants: NDArray[np.float64]
    ends: NDArray[np.int64]


@kernel(error_model="numpy")
def play(operations, registers, count):  # type: ignore[no-untyped-def]
    """Make the registers [number, positions] that the operations make, of ``count`` positions; the others stand there."""
    made = len(registers) - len(operations)
    for number in range(len(operations)):
        code, first, second, third = operations[number]
        x, y, z, out = registers[first], registers[second], registers[third], registers[made + number]
        for i in range(count):
            out[i] = _operation(code, x[i], y[i], z[i])


@kernel(error_model="numpy")
def _operation(code, x, y, z):  # type: ignore[no-untyped-def]
    if code == _NEG:
        return -x
    if code == _ADD:
        return x + y
    if code == _SUB:
        return x - y
    if code == _MUL:
        return x * y
    if code == _DIV:
        return x / y
    if code == _POW:
        return x**y
    if code == _WHERE:
        return y if x != 0 else z
    if code == _MAXIMUM:
        return max(x, y)
    if code == _MINIMUM:
        return min(x, y)
    if code >= _GE:
        return np.float64(_holds(code, x, y))
    return _function(code, x, y)


@kernel
def _holds(code, x, y):  # type: ignore[no-untyped-def]
    if code == _GE:
        return x >= y
    if code == _GT:
        return x > y
    if code == _LE:
        return x <= y
    if code == _LT:
        return x < y
    if code == _EQ:
        return x == y
    if code == _NE:
        return x != y
    return x != 0 and y != 0


@kernel(error_model="numpy")
def _function(code, x, y):  # type: ignore[no-untyped-def]
    if code == _EXP:
        return np.exp(x)
    if code == _EXPM1:
        return np.expm1(x)
    if code == _LOG:
        return np.log(x)
    if code == _LOG1P:
        return np.log1p(x)
    if code == _SQRT:
        return np.sqrt(x)
    if code == _ABS:
        return abs(x)
    if code == _SIGN:
        return np.float64(x > 0) - np.float64(x < 0)
    if code == _RECIPROCAL:
        return 1 / x
    if code == _SINH:
        return np.sinh(x)
    if code == _COSH:
        return np.cosh(x)
    if code == _RELU:
        return max(x, 0.0)
    return max(x, y) + np.log1p(np.exp(-abs(x - y)))
