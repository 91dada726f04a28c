"""Random numbers as a function of where they are used: the same seed and path give the same numbers, always.

Nothing in the house keeps random state between steps, so a resumed run needs no more than its step number.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *path: str | int) -> int:
    """A 63-bit seed for the place ``path`` ("order", epoch, ...) of the run seeded ``seed``."""
    key = "/".join(map(str, (seed, *path))).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """A NumPy generator for the place ``path`` of the run seeded ``seed``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *path)))
