"""Work shared among threads: compiled kernels that let go of the interpreter's lock, each given a part of the work.

A kernel is a function ``kernel(part, parts, *arguments)`` whose result must not depend on ``parts``: the parts write to
places of their own. So a run is the same, bit for bit, however many threads it had.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from .errors import UsageError

WORTH_SHARING = 100_000
"""Touched elements: handing work to another thread costs some 0.1 ms on a virtual machine."""


@functools.cache
def available() -> int:
    """How many threads to use: ``LOSSWORKS_THREADS`` where it is set, else the CPUs this process may run on, divided
    among the processes that torchrun has started on this machine.
    """
    wanted = os.environ.get("LOSSWORKS_THREADS", "").strip() or "0"
    if not wanted.isdecimal():
        raise UsageError(f"LOSSWORKS_THREADS is {wanted!r}; wanted a whole number, 1 or more (0: as many as there are).")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = os.environ.get("LOCAL_WORLD_SIZE", "")
    processes = int(beside) if beside.isdecimal() else 1
    return int(wanted) or max(1, usable // max(1, processes))


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """While the block lasts, work is shared among ``count`` threads at most, in this process and in those that it starts.

    Blocks of several threads may overlap, and end in any order: the least of them holds, and in the end what did before.
    """
    with _limiting:
        if not _limits:
            _before[:] = [os.environ.get("LOSSWORKS_THREADS")]
        _limits.append(limit := min(count, available()))
        _say(str(min(_limits)))
    try:
        yield
    finally:
        with _limiting:
            _limits.remove(limit)
            _say(str(min(_limits)) if _limits else _before[0])


def _say(threads: str | None) -> None:
    """Set ``LOSSWORKS_THREADS``, or take it away, for all who ask from now on."""
    if threads is None:
        os.environ.pop("LOSSWORKS_THREADS", None)
    else:
        os.environ["LOSSWORKS_THREADS"] = threads
    available.cache_clear()
    renew()


def dividing() -> int:
    """How many threads divide work whose sums depend, in their last bits, on how many they are: as many as are ``available``, or
    within ``divided_among`` what it says.
    """
    return getattr(_own, "dividing", None) or available()


@contextmanager
def divided_among(count: int | None) -> Iterator[None]:
    """For a while such work of the calling thread is divided among ``count`` threads; None: as it was."""
    before = getattr(_own, "dividing", None)
    _own.dividing = count or before
    try:
        yield
    finally:
        _own.dividing = before


def share(kernel: Callable[..., Any], work: int, *arguments: Any, most: int | None = None) -> None:
    """Run ``kernel(part, parts, *arguments)`` for every part; little ``work`` (in touched elements) is not worth dividing.

    No part goes on after an error or an interrupt has been raised here.

    most: the parts that there is room for. Said wherever each part has room of its own among the arguments: how many threads are
        ``available`` may have changed since that was made, and kernels check no index.
    """
    threads = available()
    parts = min(threads, most or threads) if work > WORTH_SHARING else 1
    others = list[Future[Any]]()
    try:
        for part in range(1, parts):
            others.append(_pool().submit(kernel, part, parts, *arguments))
        kernel(0, parts, *arguments)
        for other in others:
            other.result()
    except BaseException:
        wait(others)
        raise


def renew() -> None:
    """Drop the calling thread's pool: its next threads inherit what this thread then does with denormals."""
    _own.__dict__.pop("pool", None)


def _pool() -> ThreadPoolExecutor:
    """The calling thread's own: whoever else shares work neither waits for it nor shares its way with denormals.

    It ends with the thread: its idle threads leave once nothing refers to it.
    """
    if not hasattr(_own, "pool"):
        _own.pool = ThreadPoolExecutor(max(1, available() - 1), thread_name_prefix="lossworks")
    pool: ThreadPoolExecutor = _own.pool
    return pool


_limiting, _limits, _before = threading.Lock(), list[int](), list[str | None]()
_own = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew)  # a forked child has none of the parent's threads
