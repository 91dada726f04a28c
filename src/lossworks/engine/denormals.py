"""Numbers too small to matter, which processors are slow at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..core import threads


@contextmanager
def flushed() -> Iterator[None]:
    """For a while, what is below the normal range of floating point (1e-38 in float32) counts as 0, on this thread and ours.

    Matrix products of such numbers take ten times as long and more, and a network that is sure of what it says has gradients
    full of them (docs/LOG.md).
    """
    before = bool(torch.tensor(1e-39) * 1 == 0)
    torch.set_flush_denormal(True)
    threads.renew()
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
        threads.renew()
