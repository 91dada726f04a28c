"""Functions that Numba compiles, whose machine code later processes load without Numba: to import it takes most of a second.

A kernel takes numbers, arrays, None and tuples of those, writes its results into arrays, and makes none itself. It is compiled
for the types it is called with. What is kept is an object file with one entry, which looks at the types of what it is given by
itself: Python takes longer for that than the code then runs for one text.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from . import cached

_KEPT = 32
"""Object files of one kernel: for other types, processors, and versions of it."""
_ENTRY = "entry"
LAYOUT = 0x403
"""NumPy's flags of an array: contiguous in C's order, in Fortran's; writeable."""
UNFIT = 2
"""What an entry says where it is for arguments of other types, or layouts in memory."""
_PLAIN = {int, float, bool, type(None)}
_Entry = tuple[Callable[[tuple[Any, ...], int], int], int]
"""What runs it, and where the types are that it insists on."""


def kernel(plain: Any = None, **options: Any) -> Any:
    """Have ``plain`` compiled, to run without the interpreter's lock. options: of ``numba.njit``."""
    return Kernel(plain, options) if plain is not None else functools.partial(kernel, **options)


class Kernel:
    """``py_func``, compiled. Numba's own code can call it too: it is then compiled into the caller."""

    def __init__(self, py_func: FunctionType, options: dict[str, Any]) -> None:
        functools.update_wrapper(self, py_func)
        self.py_func, self.options = py_func, options
        self._entries: dict[tuple[Any, ...], _Entry] = {}

    def __call__(self, *arguments: Any) -> None:
        """Run it.

        Raises:
            ArithmeticError: it divided by zero, where its options make that an error.
            TypeError: it was given something else. OverflowError: a whole number has more than 64 bits.
        """
        for entry, types in self._entries.values():
            if (status := entry(arguments, types)) != UNFIT:
                break
        else:
            entry, types = self._found(arguments)
            status = entry(arguments, types)
        if status:
            raise ArithmeticError(f"{self.py_func.__qualname__} failed: a division by zero")

    def __reduce__(self) -> str:
        return str(self.py_func.__qualname__)

    @functools.cached_property
    def jitted(self) -> Any:
        """As Numba knows it. It has no counts of references, and so cannot make arrays."""
        from numba import njit

        bare: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
        return njit(nogil=True, **bare, **self.options)(self.py_func)

    @property
    def _numba_type_(self) -> Any:
        return self.jitted._numba_type_

    def _found(self, arguments: tuple[Any, ...]) -> _Entry:
        """The entry for such arguments: loaded if it is kept, else compiled."""
        wanted = list[type]()
        key = tuple(_kinds(arguments, wanted))
        with _lock:
            if key not in self._entries:
                folder = cached.folder(self.py_func.__code__.co_filename)
                name = f"{self.py_func.__module__.rpartition('.')[2]}.{self.py_func.__name__}"
                path = None if folder is None else folder / f"{name}-{_digest(self._source, self.options, key)}.kernel"
                code = None if path is None else _read(path)
                if code is None:
                    from .compiling import compiled

                    for each in before_compiling:
                        each()
                    code = compiled(self, arguments, _ENTRY)
                    if path is not None:
                        _keep(path, code, f"{name}-*.kernel")
                self._entries = {**self._entries, key: _loaded(code, wanted)}  # others may be going through the old one
            return self._entries[key]

    @property
    def _source(self) -> list[Any]:
        """All that the machine code follows from in Python: the bytecode of it and of what it calls, and global numbers."""
        found, waiting = dict[str, Any](), [self.py_func]
        while waiting:
            plain = waiting.pop()
            assert isinstance(plain, FunctionType)
            code = plain.__code__
            found[f"{plain.__module__}.{plain.__qualname__}"] = code.co_code, code.co_consts, code.co_names, code.co_varnames
            for name in code.co_names:
                value = plain.__globals__.get(name)
                called = getattr(value, "py_func", None)
                if called is None:
                    found[f"{plain.__module__}.{name}"] = value
                elif f"{called.__module__}.{called.__qualname__}" not in found:
                    waiting.append(called)
        return sorted(found.items())


_lock = threading.RLock()
before_compiling: list[Callable[[], None]] = []
"""Whom to tell that a kernel will be compiled, once Numba is imported."""


def _kinds(arguments: tuple[Any, ...], wanted: list[type]) -> Iterator[Any]:
    """What code is compiled for: types, and of arrays how they lie in memory. ``wanted`` gets the types that an entry insists on.
    What tuples hold stands in line.
    """
    for each in arguments:
        kind = np.ndarray if isinstance(each, np.ndarray) else type(each)
        wanted.append(kind)
        if isinstance(each, np.ndarray):
            yield each.dtype.char, each.dtype.byteorder, each.ndim, each.flags.num & LAYOUT
        elif kind is tuple:
            yield len(each)
            yield from _kinds(each, wanted)
        elif kind in _PLAIN or issubclass(kind, np.generic):
            yield kind
        else:
            raise TypeError(f"a kernel got {each!r}; wanted arrays, numbers, None and tuples of these.")


def _loaded(code: bytes, wanted: list[type]) -> _Entry:
    """The entry of an object file, which stays in memory, for arguments of such types."""
    llvm, machine = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    addresses = (ctypes.c_int64 * len(wanted))(*map(id, wanted))
    _engines.append((engine, wanted, addresses))
    kind = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.py_object, ctypes.c_void_p)
    return kind(engine.get_function_address(_ENTRY)), ctypes.addressof(addresses)


_engines: list[Any] = []


@functools.cache
def _llvm() -> tuple[Any, Callable[[], Any]]:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding, binding.Target.from_default_triple().create_target_machine


@functools.cache
def _machine() -> tuple[Any, ...]:
    """What machine code follows from besides."""
    llvm, _ = _llvm()
    wished = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_"))
    cpu = llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return *cpu, cached.stamp("numba"), cached.stamp("llvmlite"), object.__basicsize__, tuple.__basicsize__, wished


def _digest(*of: Any) -> str:
    import xxhash

    return str(xxhash.xxh3_128_hexdigest(repr((of, _machine())).encode()))


def _read(path: Path) -> bytes | None:
    """What ``_keep`` wrote there; None if nothing did, or something else."""
    import xxhash

    with suppress(OSError):
        kept = path.read_bytes()
        if kept[:16] == xxhash.xxh3_128_digest(kept[16:]):
            return kept[16:]
    return None


def _keep(path: Path, code: bytes, like: str) -> None:
    import xxhash

    with suppress(OSError):
        room = path.with_suffix(f".{os.getpid()}")  # whole files or nothing
        room.write_bytes(xxhash.xxh3_128_digest(code) + code)
        room.replace(path)
        for old in sorted(path.parent.glob(like), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            old.unlink()
