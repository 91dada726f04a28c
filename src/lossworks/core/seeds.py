"""Random numbers as a function of where they are used: the same seed and path give the same numbers, always.

Nothing in the house keeps random state between steps, so a resumed run needs no more than its step number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np

_DRAWING = RLock()
_users = 0
_before: Any = None  # the state of PyTorch's generator before its first user


def derive(seed: int, *path: str | int) -> int:
    """A 63-bit seed for the place ``path`` ("order", epoch, ...) of the run seeded ``seed``."""
    key = "/".join(map(str, (seed, *path))).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """A NumPy generator for the place ``path`` of the run seeded ``seed``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *path)))


@contextmanager
def torch_generator_kept() -> Iterator[None]:
    """PyTorch's generator belongs to the whole process: once nobody uses it any more, it is as it was before."""
    global _users, _before
    import torch

    with _DRAWING:
        _users += 1
        if _users == 1:
            _before = torch.get_rng_state()
    try:
        yield
    finally:
        with _DRAWING:
            _users -= 1
            if not _users:
                torch.set_rng_state(_before)


@contextmanager
def torch_seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """For a while PyTorch's generator of ``device`` is this thread's alone and begins at ``seed``.

    So what is drawn is the same whatever other threads do. Within ``torch_generator_kept``, else the state is not put back.
    """
    import torch

    with _DRAWING:
        if device.startswith("cuda"):  # the one generator that is used: to seed all there are costs more than a small step
            with torch.cuda.device(torch.device(device)):
                torch.cuda.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """Where a network is made: its weights are drawn from ``seed``, and nobody else's random numbers change."""
    with torch_generator_kept(), torch_seeded(seed):
        yield
