"""Numbers too small to matter count as nothing while a network trains."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

from lossworks.core import threads as room
from lossworks.engine.denormals import flushed

TINY = torch.tensor(1e-39)


def kept(part: int, parts: int, seen: list[tuple[int, float]]) -> None:
    """Whether a number below the normal range is still there on this thread."""
    seen.append((threading.get_ident(), float(TINY * 1)))


def test_on_all_threads_and_no_longer(threads: Callable[[int], None]) -> None:
    """On the thread that trains and on those that help it; afterwards it is as before, and stays so within another."""
    threads(3)
    for small in (False, True, False):
        seen: list[tuple[int, float]] = []
        if small:
            with flushed(), flushed():
                room.share(kept, 1 << 30, seen)
        else:
            room.share(kept, 1 << 30, seen)
        assert len(seen) == 3
        assert {number != 0 for _, number in seen} == {not small}
    assert float(TINY * 1) != 0


def test_products_of_tiny_numbers() -> None:
    """Are nothing, where they would be tiny; the numbers themselves stay what they are."""
    small = torch.full((8, 8), 1e-39)
    with flushed():
        assert not (small @ torch.eye(8)).any()
    assert (small > 0).all()
