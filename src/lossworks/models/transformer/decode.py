"""One token through a Transformer on a processor, compiled: what generation does over and over.

For a single token PyTorch spends its time on calls, not on numbers. Here a token is five passes over each block's weights, every
one divided among threads by rows of the weight; so each sum is made by one thread, in one order, on any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, float32, nn

from ...core.threads import share

if TYPE_CHECKING:
    from .model import Block, Body

Floats = NDArray[np.float32]
_SUM = {"reassoc", "contract", "nsz"}  # sums may be reordered at compilation, so that they fill the vector units
_PACE = 16  # weights of a matrix are read this much faster than ``share`` reckons


@dataclass(frozen=True, slots=True)
class Weights:
    """A body's weights as arrays on the same memory, and room to work in."""

    embedding: Floats
    blocks: Sequence[tuple[Floats, ...]]
    norm: Floats
    cosines: Floats
    sines: Floats
    heads: int
    window: int
    eps: float

    @classmethod
    def of(cls, body: Body) -> Weights | None:
        """None where a weight is no plain one in float32 on the processor, and PyTorch has to do it."""
        plain = all(type(layer) is nn.Linear for block in body.blocks for layer in _linear(cast("Block", block)))
        if not plain or any(p.dtype != float32 or p.device.type != "cpu" or not p.is_contiguous() for p in body.parameters()):
            return None
        blocks = []
        for block in cast("list[Block]", body.blocks):
            qkv, merge, gate_up, down = (_array(layer.weight) for layer in _linear(block))
            blocks.append((_array(block.attention_norm.weight), qkv, merge, _array(block.ffn_norm.weight), gate_up, down))
        spec = body.spec
        tables = _array(body.cosines), _array(body.sines)
        window = spec.context if spec.window is None else spec.window
        return cls(_array(body.embedding.weight), blocks, _array(body.norm.weight), *tables, spec.heads, window, spec.eps)

    def state(self, token: int, past: Floats, place: int) -> Floats:
        """The state [d] after ``token`` at ``place``; its keys and values go into ``past`` [layers, 2, kv, room, h]."""
        x: Floats = self.embedding[token].copy()
        unit: Floats = np.empty_like(x)
        first = max(0, place + 1 - self.window)
        for (attention_norm, qkv, merge, ffn_norm, gate_up, down), kept in zip(self.blocks, past, strict=True):
            every, seen = np.empty(len(qkv), np.float32), np.empty(merge.shape[1], np.float32)
            inner = np.empty(down.shape[1], np.float32)
            _normed(x, attention_norm, self.eps, unit)
            share(_product, qkv.size // _PACE, qkv, unit, every)
            _place(every, self.cosines[place], self.sines[place], kept, place, self.heads)
            share(_attend, self.heads * (place + 1 - first) * kept.shape[3], every, kept, first, place + 1, self.heads, seen)
            share(_added, merge.size // _PACE, merge, seen, x)
            _normed(x, ffn_norm, self.eps, unit)
            share(_gated, gate_up.size // _PACE, gate_up, unit, inner)
            share(_added, down.size // _PACE, down, inner, x)
        _normed(x, self.norm, self.eps, unit)
        return unit


def _linear(block: Block) -> tuple[nn.Linear, ...]:
    return block.qkv, block.merge, block.gate_up, block.down


def _array(weight: Tensor) -> Floats:
    return np.asarray(weight.detach().numpy())


@njit(cache=True, nogil=True, fastmath=_SUM)
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for place in range(len(a)):
        total += a[place] * b[place]
    return total


@njit(cache=True, nogil=True, fastmath=_SUM)
def _normed(x, weight, eps, unit):  # type: ignore[no-untyped-def]
    scale = np.float32(1 / np.sqrt(_dot(x, x) / len(x) + eps))
    for place in range(len(x)):
        unit[place] = x[place] * scale * weight[place]


@njit(cache=True, nogil=True, fastmath=_SUM)
def _product(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    for row in range(len(weight) * part // parts, len(weight) * (part + 1) // parts):
        found[row] = _dot(weight[row], x)


@njit(cache=True, nogil=True, fastmath=_SUM)
def _added(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    for row in range(len(weight) * part // parts, len(weight) * (part + 1) // parts):
        found[row] += _dot(weight[row], x)


@njit(cache=True, nogil=True, fastmath=_SUM)
def _gated(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    width = len(found)
    for row in range(width * part // parts, width * (part + 1) // parts):
        gate = _dot(weight[row], x)
        found[row] = gate / (np.float32(1) + np.exp(-gate)) * _dot(weight[width + row], x)


@njit(cache=True, nogil=True)
def _place(every, cosines, sines, kept, place, heads):  # type: ignore[no-untyped-def]
    """Turn queries and keys to their position, and write keys and values to their place."""
    width, half = len(cosines), len(cosines) // 2
    shared = kept.shape[1]
    for head in range(heads + shared):
        numbers = every[head * width : (head + 1) * width]
        for i in range(half):
            a, b = numbers[i], numbers[i + half]
            numbers[i] = a * cosines[i] + b * sines[i]
            numbers[i + half] = b * cosines[i + half] + a * sines[i + half]
    for head in range(shared):
        key, value = (heads + head) * width, (heads + shared + head) * width
        kept[0, head, place] = every[key : key + width]
        kept[1, head, place] = every[value : value + width]


@njit(cache=True, nogil=True, fastmath=_SUM)
def _attend(part, parts, every, kept, first, stop, heads, seen):  # type: ignore[no-untyped-def]
    width = kept.shape[3]
    group = heads // kept.shape[1]
    weights = np.empty(stop - first, np.float32)
    for head in range(heads * part // parts, heads * (part + 1) // parts):
        query, keys, values = every[head * width : (head + 1) * width], kept[0, head // group], kept[1, head // group]
        largest = np.float32(-np.inf)
        for place in range(first, stop):
            weights[place - first] = _dot(query, keys[place]) / np.float32(np.sqrt(width))
            largest = max(largest, weights[place - first])
        total = np.float32(0)
        for place in range(len(weights)):
            weights[place] = np.exp(weights[place] - largest)
            total += weights[place]
        sums = seen[head * width : (head + 1) * width]
        sums[:] = 0
        for place in range(first, stop):
            weight = weights[place - first] / total
            value = values[place]
            for i in range(width):
                sums[i] += weight * value[i]
