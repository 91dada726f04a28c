"""PyTorch's number of threads, for single threads of ours."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread

import torch


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """PyTorch works on ``count`` threads for a while, for the calling thread alone; None: as it is."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    _set(count, before)
    try:
        yield
    finally:
        _set(before, before)


@contextmanager
def single_threaded(count: int) -> Iterator[ThreadPoolExecutor]:
    """``count`` threads of ours, on each of which PyTorch works alone: what they compute does not depend on how many they are."""
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, "lossworks-torch", torch.set_num_threads, (1,)) as pool:
            yield pool
    finally:
        _for_new(before)


def _set(count: int, for_others: int) -> None:
    """The number is this thread's own, but it is also what new threads begin with: that is put back, by another thread."""
    torch.set_num_threads(count)
    _for_new(for_others)


def _for_new(count: int) -> None:
    """Have new threads begin with ``count``."""
    other = Thread(target=torch.set_num_threads, args=(count,))
    other.start()
    other.join()
