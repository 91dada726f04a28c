"""Hashes of runs of code points, inlined into compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.kernels import kernel

FNV_OFFSET, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a


@kernel
def mix(h: Any) -> Any:
    """MurmurHash3's 64-bit finaliser (Appleby, public domain): every bit of the input reaches the high bits."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))
