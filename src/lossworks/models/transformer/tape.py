"""The steps of a pass through a stack, done one by one, or written down as addresses and played by compiled code.

Called from Python, each step costs some microseconds, and threads wait for the interpreter's lock between any two of them: a
seventh of a small model's training. On a tape there is one call for all steps between two places where threads meet.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numba import carray, types  # type: ignore[attr-defined]
from numba.extending import intrinsic
from torch import Tensor

from .elements import compiled
from .kernels import (
    add_norm,
    apply_rotary,
    causal_softmax,
    merge_heads,
    norm_backward,
    rotary_backward,
    softmax_backward,
    split_heads,
    swiglu,
    swiglu_backward,
)
from .products import product, sgemm

_CELLS = 25  # of a step, at most: what it is, and what it is given
_KERNELS = (
    add_norm,
    apply_rotary,
    causal_softmax,
    merge_heads,
    swiglu,
    swiglu_backward,
    norm_backward,
    split_heads,
    softmax_backward,
    rotary_backward,
)
_ADD_NORM, _ROTARY, _SOFTMAX, _MERGE, _SWIGLU, _SWIGLU_BACK, _NORM_BACK, _SPLIT, _SOFTMAX_BACK, _ROTARY_BACK = range(10)
_MULTIPLY = 10


class Steps(Protocol):
    """Takes the steps of a pass."""

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """out = a · b, of matrices or of as many in a row."""

    def run(self, kernel: Any, *given: Any) -> None:
        """Run a kernel over all of what it is given: arrays and numbers."""


class AtOnce:
    """Each step is done when it is told."""

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See ``Steps``; ``out`` may be of another dtype."""
        if a.dtype is not out.dtype:
            out.copy_(torch.mm(a, b))
        elif a.ndim == 2:
            torch.mm(a, b, out=out)
        else:
            torch.bmm(a, b, out=out)

    def run(self, kernel: Any, *given: Any) -> None:
        """See ``Steps``."""
        kernel(0, 1, *given)


def playable() -> bool:
    """Whether there is a product that compiled code can call."""
    return sgemm() != 0


def apart(moving: Sequence[Tensor]) -> bool:
    """Whether each begins at a place of its own, by which a tape tells it from the others: not so where weights are tied."""
    return len({t.data_ptr() for t in moving}) == len(moving)


class Tape:
    """Steps on float32 numbers that lie where they are written down, but those in ``moving``, which lie elsewhere each time.

    Args:
        pieces: each tells its steps, which are then played at once.
        moving: as they lie while the steps are told; ``apart``.
    """

    def __init__(self, pieces: Sequence[Callable[[Steps], None]], moving: Sequence[Tensor]) -> None:
        writer, ends = _Writer(moving), [0]
        for piece in pieces:
            piece(writer)
            ends.append(len(writer.rows))
        self._table = np.array([row + [0] * (_CELLS - len(row)) for row in writer.rows], np.int64)
        self._cells, self._whose, self._away = np.array(writer.moved, np.int64).reshape(-1, 3).T
        self._pieces = [self._table[begin:end] for begin, end in itertools.pairwise(ends)]

    def aim(self, moving: Sequence[Tensor]) -> None:
        """Say where those that move lie now."""
        begins = np.fromiter((t.data_ptr() for t in moving), np.int64, len(moving))
        self._table.reshape(-1)[self._cells] = begins[self._whose] + self._away

    def play(self, first: int, number: int = 0) -> None:
        """Take the steps of the piece that is so many behind ``first``."""
        _play(sgemm(), self._pieces[first + number])


class _Writer:
    """Writes steps down. rows: one a step. moved: a cell, which of ``moving`` it leads into, and how far from its beginning."""

    def __init__(self, moving: Sequence[Tensor]) -> None:
        self.rows: list[list[int]] = []
        self.moved: list[tuple[int, int, int]] = []
        self._spans = sorted((t.data_ptr(), t.data_ptr() + 4 * t.numel(), number) for number, t in enumerate(moving))

    def multiply(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See ``Steps``."""
        row = [_MULTIPLY, len(a) if a.ndim == 3 else 1, *a.shape[-2:], b.shape[-1]]
        for each in (a, b, out):
            turned = each.stride(-1) != 1
            self._place(each.data_ptr(), row)
            row += [max(each.stride(-1 if turned else -2), each.shape[-2 if turned else -1]), int(turned)]
            row.append(4 * each.stride(0) if each.ndim == 3 else 0)
        self.rows.append(row)

    def run(self, kernel: Any, *given: Any) -> None:
        """See ``Steps``."""
        row = [_KERNELS.index(kernel)]
        for each in given:
            if isinstance(each, np.ndarray):
                self._place(each.ctypes.data, row)
                row += each.shape
            else:
                row.append(int(np.float64(each).view(np.int64)))
        self.rows.append(row)

    def _place(self, address: int, row: list[int]) -> None:
        at = bisect_right(self._spans, (address, math.inf)) - 1
        if at >= 0 and address < self._spans[at][1]:
            begin, _, number = self._spans[at]
            self.moved.append((len(self.rows) * _CELLS + len(row), number, address - begin))
        row.append(address)


@compiled
def _play(sgemm, steps):  # type: ignore[no-untyped-def]
    for step in range(len(steps)):
        s = steps[step]
        kind = s[0]
        if kind == _MULTIPLY:
            for n in range(s[1]):
                a, b, out = s[5] + n * s[8], s[9] + n * s[12], s[13] + n * s[16]
                product(sgemm, s[2], s[4], s[3], a, s[6], s[7], b, s[10], s[11], out, s[14])
        elif kind == _ADD_NORM:
            add_norm(0, 1, _2d(s, 1), _2d(s, 4), _1d(s, 7), _real(s[9]), _2d(s, 10), _1d(s, 13), _2d(s, 15))
        elif kind == _ROTARY:
            apply_rotary(0, 1, _2d(s, 1), _2d(s, 4), _2d(s, 7), _4d(s, 10), _4d(s, 15), _4d(s, 20))
        elif kind == _SOFTMAX:
            causal_softmax(0, 1, _3d(s, 1), np.float32(_real(s[5])), _1d(s, 6))
        elif kind == _MERGE:
            merge_heads(0, 1, _4d(s, 1), _2d(s, 6))
        elif kind == _SWIGLU:
            swiglu(0, 1, _2d(s, 1), _2d(s, 4))
        elif kind == _SWIGLU_BACK:
            swiglu_backward(0, 1, _2d(s, 1), _2d(s, 4), _2d(s, 7))
        elif kind == _NORM_BACK:
            x, weight, scales, given, before = _2d(s, 1), _1d(s, 4), _1d(s, 6), _2d(s, 8), _2d(s, 11)
            norm_backward(0, 1, x, weight, scales, given, before, _2d(s, 14), _2d(s, 17), _2d(s, 20))
        elif kind == _SPLIT:
            split_heads(0, 1, _2d(s, 1), _4d(s, 4))
        elif kind == _SOFTMAX_BACK:
            softmax_backward(0, 1, _3d(s, 1), np.float32(_real(s[5])), _3d(s, 6))
        elif kind == _ROTARY_BACK:
            rotary_backward(0, 1, _4d(s, 1), _4d(s, 6), _4d(s, 11), _2d(s, 16), _2d(s, 19), _2d(s, 22))


@compiled
def _real(cell):  # type: ignore[no-untyped-def]
    return np.int64(cell).view(np.float64)


@compiled
def _1d(s, at):  # type: ignore[no-untyped-def]
    return carray(_floats(s[at]), (s[at + 1],))  # type: ignore[call-arg]


@compiled
def _2d(s, at):  # type: ignore[no-untyped-def]
    return carray(_floats(s[at]), (s[at + 1], s[at + 2]))  # type: ignore[call-arg]


@compiled
def _3d(s, at):  # type: ignore[no-untyped-def]
    return carray(_floats(s[at]), (s[at + 1], s[at + 2], s[at + 3]))  # type: ignore[call-arg]


@compiled
def _4d(s, at):  # type: ignore[no-untyped-def]
    return carray(_floats(s[at]), (s[at + 1], s[at + 2], s[at + 3], s[at + 4]))  # type: ignore[call-arg]


@intrinsic
def _floats(typing: Any, address: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.int64), build
