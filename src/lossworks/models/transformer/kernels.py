"""The steps of a Transformer in single passes over memory, compiled for the processor; ``steps`` says what they are.

Rows are divided among threads, and what is summed over rows is summed in blocks of ``BLOCK``, then over the blocks: the same
on any number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 256
_SUM = {"reassoc", "contract", "nsz"}  # sums may be reordered at compilation, so that they fill the vector units


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUM)
def norm(part, parts, x, weight, eps, found, scales):  # type: ignore[no-untyped-def]
    """found[row] = x[row] · scales[row] · weight."""
    width = x.shape[1]
    for row in range(len(x) * part // parts, len(x) * (part + 1) // parts):
        square = np.float32(0)
        for i in range(width):
            square += x[row, i] * x[row, i]
        scale = np.float32(1 / np.sqrt(square / width + eps))
        scales[row] = scale
        for i in range(width):
            found[row, i] = x[row, i] * scale * weight[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUM)
def norm_slope(part, parts, x, weight, scales, outer, slope, by_block):  # type: ignore[no-untyped-def]
    """The slope of x, and by_block[block] = Σ outer · x · scale over the rows of a block, which add up to that of the weight."""
    width, blocks = x.shape[1], len(by_block)
    for block in range(blocks * part // parts, blocks * (part + 1) // parts):
        summed = by_block[block]
        summed[:] = 0
        for row in range(block * BLOCK, min(len(x), (block + 1) * BLOCK)):
            scale, along = scales[row], np.float32(0)
            for i in range(width):
                along += outer[row, i] * weight[i] * x[row, i]
            along *= scale * scale * scale / np.float32(width)
            for i in range(width):
                slope[row, i] = outer[row, i] * weight[i] * scale - x[row, i] * along
                summed[i] += outer[row, i] * x[row, i] * scale


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUM)
def turn(part, parts, given, first, found, place, count, cosines, sines, way):  # type: ignore[no-untyped-def]
    """Heads first … first + count of given [B·T, heads, h], turned (way -1: back), into found from head ``place``."""
    size, half = len(cosines), cosines.shape[1] // 2
    for row in range(len(given) * part // parts, len(given) * (part + 1) // parts):
        cosine, sine = cosines[row % size], sines[row % size]
        for head in range(count):
            numbers, turned = given[row, first + head], found[row, place + head]
            for i in range(half):
                turned[i] = numbers[i] * cosine[i] + numbers[half + i] * sine[i] * way
            for i in range(half):
                turned[half + i] = numbers[half + i] * cosine[half + i] + numbers[i] * sine[half + i] * way


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUM)
def gate_slope(part, parts, both, opened, outer, slope):  # type: ignore[no-untyped-def]
    """The slope of gate and up, of silu(gate) · up; ``opened`` is silu(gate), so the sigmoid is opened / gate."""
    width = opened.shape[1]
    for row in range(len(both) * part // parts, len(both) * (part + 1) // parts):
        for i in range(width):
            gate, up, silu = both[row, i], both[row, width + i], opened[row, i]
            sigmoid = silu / gate if gate != 0 else np.float32(0.5)
            slope[row, i] = outer[row, i] * up * (sigmoid + silu * (np.float32(1) - sigmoid))
            slope[row, width + i] = outer[row, i] * silu
