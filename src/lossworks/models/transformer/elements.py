"""What kernels are made of: arithmetic of elements and of rows, in float32.

Activations are float32 or bfloat16, which NumPy does not know: there its bits are uint16, and ``upcast`` and ``downcast``
read and write them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload, register_jitable

SUM = {"reassoc", "contract", "nsz"}  # sums may be reordered at compilation, so that they fill the vector units
compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath=SUM)


def upcast(x: Any) -> Any:
    """An element of an array, in float32."""
    raise NotImplementedError


def downcast(x: Any, like: Any) -> Any:
    """A float32 as what the array ``like`` holds; bfloat16 rounds to the nearest, ties to even."""
    raise NotImplementedError


@overload(upcast)
def _upcast(x):  # type: ignore[no-untyped-def]
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)
    return lambda x: x


@overload(downcast)
def _downcast(x, like):  # type: ignore[no-untyped-def]
    if like.dtype == types.uint16:

        def rounded(x, like):  # type: ignore[no-untyped-def]
            bits = np.float32(x).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda x, like: x


@register_jitable(fastmath=SUM)
def exp(x: Any) -> Any:
    """e**x to about one unit in the last place, in operations that the vector units have (Cephes' expf)."""
    x = min(max(x, np.float32(-87)), np.float32(88))
    whole = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    x = x - whole * np.float32(0.693359375)
    x = x + whole * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    y = y * x * x + x + np.float32(1)
    return y * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@register_jitable
def _ordered(bits: Any) -> Any:
    """The bits of a float32 as an integer in the same order, and back: the maximum of integers fills the vector units."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@register_jitable(fastmath=SUM)
def dot(a: Any, b: Any) -> Any:
    """Σ a · b."""
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@register_jitable(fastmath=SUM)
def rms_scale(x: Any, eps: Any) -> Any:
    """What makes the root mean square of x 1."""
    return scale_of(dot(x, x), len(x), eps)


@register_jitable(fastmath=SUM)
def scale_of(squares: Any, width: Any, eps: Any) -> Any:
    """The same, from the sum of the squares of ``width`` numbers."""
    return np.float32(1 / np.sqrt(squares / width + eps))


@register_jitable(fastmath=SUM)
def silu(x: Any) -> Any:
    """x · sigmoid(x)."""
    return x / (np.float32(1) + exp(-x))


@register_jitable(fastmath=SUM)
def exponentials(scores: Any) -> Any:
    """Leave exp(score - the largest) in the place of each score; 1 / their sum."""
    total, largest = np.float32(0), np.int32(-(2**31))
    for i in range(len(scores)):
        largest = max(largest, _ordered(np.float32(scores[i]).view(np.int32)))
    shift = np.int32(_ordered(largest)).view(np.float32)
    for i in range(len(scores)):
        scores[i] = exp(scores[i] - shift)
        total += scores[i]
    return np.float32(1) / total
