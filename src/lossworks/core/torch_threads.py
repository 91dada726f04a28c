"""PyTorch's number of threads, for single threads of ours, and teams of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from threading import Barrier, Lock, local
from typing import Protocol, TypeVar

import torch

T = TypeVar("T")
_SETTING, _own = Lock(), local()


class Do(Protocol):
    """Runs tasks, none of which needs another's result; returns their results in the tasks' order."""

    def __call__(self, tasks: Sequence[Callable[[], T]]) -> list[T]: ...


def in_turn(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Each task after the one before it, by the caller."""
    return [task() for task in tasks]


@contextmanager
def torch_threads(count: int | None, *, ours: int | None = None) -> Iterator[None]:
    """PyTorch works on ``count`` threads for a while, for the calling thread alone; None: as it is.

    ours: the threads of a ``team`` meanwhile; None: as many as before, for what slows PyTorch's down does no harm to these.
    """
    before, team_before = torch.get_num_threads(), getattr(_own, "teammates", None)
    if count is None or count == before:
        yield
        return
    with _as_it_was_for_new():
        torch.set_num_threads(count)
    _own.teammates = ours or team_before or before
    try:
        yield
    finally:
        _own.teammates = team_before
        with _as_it_was_for_new():
            torch.set_num_threads(before)


def teammates() -> int:
    """How many threads a ``team`` that the calling thread begins should have: PyTorch's number, or what it was before
    ``torch_threads``.
    """
    return getattr(_own, "teammates", None) or torch.get_num_threads()


@contextmanager
def single_threaded(count: int) -> Iterator[ThreadPoolExecutor]:
    """``count`` threads of ours, on each of which PyTorch works alone: what they compute does not depend on how many they are.

    They treat denormals as the calling thread does now.
    """
    started = Barrier(count)

    def start() -> None:
        torch.get_num_threads()  # a thread takes what new ones begin with when it first asks: not after that is put back
        torch.set_num_threads(1)
        started.wait()

    with ThreadPoolExecutor(count, "lossworks-torch", start) as pool:
        try:
            with _as_it_was_for_new():
                for ready in [pool.submit(int) for _ in range(count)]:
                    ready.result()
        except BaseException:
            started.abort()  # the system gave fewer threads: those wait for no more
            raise
        yield pool


@contextmanager
def team(count: int) -> Iterator[Do]:
    """``count`` threads that take the next task when they are free, so that one that is not running delays its own task alone.

    PyTorch's own parallel regions wait for each of their threads, dozens of times in a task as large as ours; on a machine with
    other work one of them is mostly not running. The tasks see the caller's modes of gradients and inference and its context
    variables. A single task, or any where ``count`` is 1, is run by the caller. The first error is raised.
    """
    with ExitStack() as stack:
        pools: list[ThreadPoolExecutor] = []

        def do(tasks: Sequence[Callable[[], T]]) -> list[T]:
            if count == 1 or len(tasks) < 2:
                return in_turn(tasks)
            if not pools:
                pools.append(stack.enter_context(single_threaded(count)))
            gradients, inference, context = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), copy_context()

            def run(task: Callable[[], T]) -> T:
                with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                    return context.copy().run(task)

            running = [pools[0].submit(run, task) for task in tasks]
            try:
                wait(running, return_when=FIRST_EXCEPTION)  # wakes once, not for the interpreter's lock at the end of each task
            finally:
                for future in running:
                    future.cancel()  # what has not begun comes after the one that failed
            return [future.result() for future in running]

        yield do


def watched() -> bool:
    """Whether something sees operations of the calling thread (a counter, fake tensors, a profiler), and would see no other's."""
    modes: int = torch._C._len_torch_dispatch_stack() + torch._C._len_torch_function_stack()
    return modes > 0 or torch._C._autograd._profiler_enabled()


@contextmanager
def _as_it_was_for_new() -> Iterator[None]:
    """A thread's number of threads is its own, but new threads begin with it too: that is put back, by another thread."""
    with _SETTING, ThreadPoolExecutor(1) as other:
        begin = other.submit(torch.get_num_threads).result()
        try:
            yield
        finally:
            other.submit(torch.set_num_threads, begin).result()
