"""Products of float32 matrices out of compiled code: by the BLAS that PyTorch brings along, with no Python in between."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from .elements import compiled

_LIBRARIES = "libtorch_cpu.so", "libtorch_cpu.dylib"
_ROWS = 16  # are not divided: BLAS would sum those of a sliver in another order
_ODD = 5, 7, 3  # rows, columns and what is summed over, of the product that is tried


@functools.cache
def sgemm() -> int:
    """The address of BLAS's product in PyTorch's library; 0: none is to be seen there, or its products are others."""
    for name in _LIBRARIES:
        try:
            address = ctypes.cast(ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name)).sgemm_, ctypes.c_void_p).value
        except (OSError, AttributeError):
            continue
        if address and _multiplies(address):
            return address
    return 0


def _multiplies(address: int) -> bool:
    rows, columns, inner = _ODD
    a, b = np.arange(rows * inner, dtype=np.float32), np.arange(inner * columns, dtype=np.float32)
    plain = (a.reshape(rows, inner), inner, 0), (b.reshape(inner, columns), columns, 0)
    turned = (a.reshape(inner, rows).T, rows, 1), (b.reshape(columns, inner).T, inner, 1)
    for (left, *of_a), (right, *of_b) in ((plain[0], plain[1]), (plain[0], turned[1]), (turned[0], plain[1])):
        found = np.full((rows, columns + 1), -1, np.float32)
        given = a.ctypes.data, *of_a, b.ctypes.data, *of_b, found.ctypes.data, columns + 1
        product(address, rows, columns, inner, *given)
        if not np.array_equal(found[:, :columns], left @ right) or not (found[:, columns] == -1).all():
            return False
    return True


def share_of_rows(matrices: Sequence[Tensor], part: int, parts: int) -> list[slice]:
    """Of each matrix the rows that one of ``parts`` is to make.

    They are divided as one row of numbers, so that a part has to do with few matrices: each product packs its factors anew.
    """
    total = sum(each.numel() for each in matrices)
    begin, end = total * part // parts, total * (part + 1) // parts
    found = []
    for each in matrices:
        found.append(slice(_row(begin, each), _row(end, each)))
        begin, end = begin - each.numel(), end - each.numel()
    return found


def _row(edge: int, matrix: Tensor) -> int:
    """The row at which a matrix is cut by an edge that lies so many numbers behind its beginning."""
    return len(matrix) if edge >= matrix.numel() else max(edge, 0) // (_ROWS * matrix.shape[1]) * _ROWS


@compiled
def product(address, rows, columns, inner, a, a_stride, a_turned, b, b_stride, b_turned, out, out_stride):  # type: ignore[no-untyped-def]
    """out = a · b, of matrices whose rows begin ``stride`` numbers apart. Turned: what lies there is the transpose.

    BLAS has columns where we have rows: it is asked for bᵀ · aᵀ.
    """
    of_b, of_a = (84 if b_turned else 78), (84 if a_turned else 78)  # T and N
    one, zero = np.float32(1), np.float32(0)
    _call(address, of_b, of_a, columns, rows, inner, one, b, b_stride, a, a_stride, zero, out, out_stride)  # type: ignore[call-arg]


@intrinsic
def _call(
    typing: Any,
    address: Any,
    of_b: Any,
    of_a: Any,
    n: Any,
    m: Any,
    k: Any,
    alpha: Any,
    b: Any,
    ldb: Any,
    a: Any,
    lda: Any,
    beta: Any,
    c: Any,
    ldc: Any,
) -> Any:
    """A call in Fortran's way: by the addresses of all values. 64 bits of a number serve one who reads 32, too."""
    number, real = types.int64, types.float32

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        places = [builder.bitcast(cgutils.alloca_once_value(builder, value), byte) for value in arguments[1:]]
        for matrix in (6, 8, 11):  # these are addresses themselves
            places[matrix] = builder.inttoptr(arguments[1 + matrix], byte)
        function = ir.FunctionType(ir.VoidType(), [byte] * len(places))
        builder.call(builder.inttoptr(arguments[0], function.as_pointer()), places)
        return context.get_dummy_value()

    return types.void(*[number] * 6, real, *[number] * 4, real, *[number] * 2), build
