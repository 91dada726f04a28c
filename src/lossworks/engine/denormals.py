"""Denormals: floats too small to matter, which CPUs are slow at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..core import threads


@contextmanager
def flushed() -> Iterator[None]:
    """Denormals (in float32, what is below 1e-38) count as 0 for a while, on the calling thread and on its own pool alone.

    Matrix products of them take ten times as long and more, and a network that is sure of what it says has gradients full of
    them (docs/LOG.md).
    """
    before = bool(torch.tensor(1e-39) * 1 == 0)
    torch.set_flush_denormal(True)
    threads.renew()
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
        threads.renew()
