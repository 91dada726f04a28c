"""Kernels: compiled once, and run by later processes without the compiler."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import NumbaError

from lossworks.core import compiling, kernels
from lossworks.core.kernels import kernel

SOURCE = """
from lossworks.core.kernels import kernel

FACTOR = 2

@kernel
def inner(x):
    return x * FACTOR

@kernel
def outer(part, parts, given, found):
    for place in range(part, len(given), parts):
        found[place] = inner(given[place]) + 1
"""


@kernel
def everything(numbers, pairs, missing, whole, real, small, unsigned, truth, found):  # type: ignore[no-untyped-def]
    """Something of each argument to its own place."""
    (first, (second, third)), total = pairs, 0.0
    for row in range(numbers.shape[0]):
        for column in range(numbers.shape[1]):
            total += numbers[row, column] * (10 * row + column)
    found[0], found[1], found[2], found[3] = total, first[-1], second, third[0]
    found[4], found[5], found[6] = whole, real, small
    found[7] = 1.0 if unsigned > np.uint64(1 << 63) else 0.0
    found[8] = 1.0 if truth else 0.0
    if missing is None:
        found[9] = 1.0


@kernel
def told(given, number, pair, found):  # type: ignore[no-untyped-def]
    """What shows how each argument was read."""
    first = given[0] if given.ndim == 1 else given[0, 1]
    found[0], found[1] = first, number / 4
    if pair is not None:
        found[2], found[3] = pair[0] / 4, len(pair)


@kernel
def shares(whole, found):  # type: ignore[no-untyped-def]
    """A division that may be by 0."""
    found[0] = whole // found[0]


@kernel
def makes(found):  # type: ignore[no-untyped-def]
    """What kernels cannot do."""
    found[:] = np.zeros(len(found))


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(6, dtype=np.float64).reshape(2, 3),
        np.arange(6, dtype=np.int16).reshape(3, 2).T,
        np.arange(40, dtype=np.float64).reshape(5, 8)[::2, 1::3],
        np.frombuffer(bytes(range(6)), np.uint8).reshape(2, 3),
        np.zeros((0, 3)),
        np.arange(6.0).reshape(2, 3).view(np.memmap),
    ],
    ids=["C", "Fortran", "strided", "read-only", "empty", "mapped"],
)
def test_every_argument_arrives(numbers: Any) -> None:
    """Arrays of any layout and type, tuples in tuples, numbers of Python's and of NumPy's, and None, as the plain function has
    them.
    """
    pairs = np.array([3, 4], np.int32), (np.int8(-5), np.array([1.5]))
    arguments = numbers, pairs, None, -7, 0.1, np.float32(0.1), np.uint64((1 << 64) - 1), True
    found, wanted = np.full((2, 10), -1.0)
    everything(*arguments, found)
    everything.py_func(*arguments, wanted)
    assert found.tobytes() == wanted.tobytes()
    everything(numbers, pairs, 3, *arguments[3:], found := np.full(10, -1.0))
    assert found[9] == -1


BASE = np.arange(1.0, 7.0), 5, (7,)
OTHERS = {
    "type of items": (np.arange(1, 7), 5, (7,)),
    "size of items": (np.arange(1, 7, dtype=np.float32), 5, (7,)),
    "axes": (np.arange(6.0).reshape(2, 3), 5, (7,)),
    "order": (np.asfortranarray(np.arange(6.0).reshape(2, 3)), 5, (7,)),
    "steps": (np.arange(6.0).reshape(2, 3)[:, ::2], 5, (7,)),
    "steps of one axis": (np.arange(1.0, 7.0)[1::2], 5, (7,)),
    "real": (BASE[0], 5.5, (7,)),
    "truth": (BASE[0], True, (7,)),
    "unsigned": (BASE[0], np.uint64(1 << 63), (7,)),
    "small": (BASE[0], np.float32(5.5), (7,)),
    "byte": (BASE[0], np.int8(-5), (7,)),
    "in a tuple": (BASE[0], 5, (7.5,)),
    "longer tuple": (BASE[0], 5, (7, 8)),
    "no tuple": (BASE[0], 5, None),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_no_code_reads_what_it_is_not_for(other: Any) -> None:
    """Called by turns with arguments that differ in one thing, a kernel finds what the plain function finds."""
    for arguments in (BASE, other, BASE, other):
        found, wanted = np.full((2, 4), -1.0)
        told(*arguments, found)
        told.py_func(*arguments, wanted)
        assert found.tolist() == wanted.tolist()


def test_refused_whatever_was_compiled() -> None:
    """Bytes in another order, a missing argument, what no array is, and a number that is too large."""
    found = np.zeros(4)
    told(*BASE, found)
    with pytest.raises(NumbaError, match="dtype"):
        told(BASE[0].astype(">f8"), *BASE[1:], found)
    with pytest.raises(TypeError, match="4 arguments"):
        told(*BASE)
    with pytest.raises(TypeError, match=r"got \[1.0\]"):
        told(*BASE, [1.0])
    with pytest.raises(OverflowError):
        told(BASE[0], 1 << 70, BASE[2], found)


def test_what_goes_wrong_is_told() -> None:
    """A division by zero raises; a kernel that makes arrays is not compiled."""
    with pytest.raises(ArithmeticError, match="shares failed"):
        shares(3, np.zeros(1, np.int64))
    with pytest.raises(NumbaError, match="zeros"):
        makes(np.zeros(2))


def test_code_of_numba_calls_kernels() -> None:
    """They are compiled into it."""

    @njit
    def call(found):  # type: ignore[no-untyped-def]
        shares(7, found)

    call(found := np.array([2]))
    assert found.tolist() == [3]


def test_kept_for_later_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled once for the same types; again where the code or a number that a function it calls reads is another, where the
    processor is, and where the file is damaged. The last are kept.
    """
    made: list[Any] = []
    plain = compiling.compiled
    monkeypatch.setattr(compiling, "compiled", lambda *of: made.append(of) or plain(*of))
    monkeypatch.setattr(kernels, "_KEPT", 3)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Python's own goes by the second that a file is from, and its size

    def run(source: str = SOURCE, dtype: Any = np.int64) -> tuple[list[float], int]:
        """What a process that loads the module finds, and how often it compiled."""
        (path := tmp_path / "own.py").write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location("own", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
        made.clear()
        module.outer(0, 1, np.arange(3, dtype=dtype), found := np.zeros(3))
        return found.tolist(), len(made)

    first = [1.0, 3.0, 5.0]
    assert [run(), run(), run(dtype=np.float32), run(dtype=np.float32)] == [(first, 1), (first, 0)] * 2
    assert [run(SOURCE.replace("= 2", "= 5")), run(SOURCE.replace("x *", "x +"))] == [([1, 6, 11], 1), ([3, 4, 5], 1)]
    for path in (kept := list((tmp_path / "__pycache__").glob("own.outer-*.kernel"))):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert len(kept) == 3
    assert run(SOURCE.replace("x *", "x +")) == ([3, 4, 5], 1)
    monkeypatch.setattr(kernels, "_machine", lambda: ("another",))
    assert run(SOURCE.replace("x *", "x +")) == ([3, 4, 5], 1)
    assert not list((tmp_path / "__pycache__").glob(f"*.{os.getpid()}"))


def test_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch, threads: Callable[[int], None]) -> None:
    """It is compiled, and runs."""
    monkeypatch.setattr(kernels.cached, "folder", lambda source: None)

    @kernel
    def one(found):  # type: ignore[no-untyped-def]
        found[0] = 1

    one(found := np.zeros(1))
    assert found[0] == 1
