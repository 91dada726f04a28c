"""PyTorch's number of threads, for one thread of ours alone."""

from __future__ import annotations

from collections.abc import Iterator
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


def _set(count: int, for_others: int) -> None:
    """The number is this thread's own, but it is also what new threads begin with: that is put back, by another thread."""
    torch.set_num_threads(count)
    other = Thread(target=torch.set_num_threads, args=(for_others,))
    other.start()
    other.join()
