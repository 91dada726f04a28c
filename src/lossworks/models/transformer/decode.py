"""One token through a Transformer on a CPU, compiled: what generation does over and over.

For a single token PyTorch spends its time on calls, not on arithmetic. Here a token is five passes over each block's weights,
each divided among threads by rows of the weight; so each sum is made by one thread, in one order, on any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, float32, nn

from ...core.threads import share
from .elements import compiled, dot, exponentials, rms_scale, silu
from .kernels import apply_rotary

if TYPE_CHECKING:
    from .model import Block, Body

Floats = NDArray[np.float32]
_PACE = 16  # weights of a matrix are read this much faster than ``share`` reckons


@dataclass(frozen=True, slots=True)
class Weights:
    """A body's weights as arrays on the same memory."""

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
        """None where a weight is no plain one in float32 on the CPU, and PyTorch has to do it."""
        plain = all(type(layer) is nn.Linear for block in body.blocks for layer in _linear(cast("Block", block)))
        if not plain or any(p.dtype != float32 or p.device.type != "cpu" or not p.is_contiguous() for p in body.parameters()):
            return None
        blocks = []
        for block in cast("list[Block]", body.blocks):
            qkv, o_proj, gate_up, down = (_array(layer.weight) for layer in _linear(block))
            blocks.append((_array(block.attention_norm.weight), qkv, o_proj, _array(block.ffn_norm.weight), gate_up, down))
        spec = body.spec
        tables = _array(body.cosines), _array(body.sines)
        window = spec.context if spec.window is None else spec.window
        return cls(_array(body.embedding.weight), blocks, _array(body.norm.weight), *tables, spec.heads, window, spec.eps)

    def state(self, token: int, past: Floats, place: int) -> Floats:
        """The state [d] after ``token`` at ``place``; its keys and values go into ``past`` [layers, 2, kv, room, h]."""
        x: Floats = self.embedding[token].copy()
        unit: Floats = np.empty_like(x)
        first, stop = max(0, place + 1 - self.window), place + 1
        for (attention_norm, of_qkv, o_proj, ffn_norm, gate_up, down), kept in zip(self.blocks, past, strict=True):
            qkv, attn_out = np.empty(len(of_qkv), np.float32), np.empty(o_proj.shape[1], np.float32)
            query, inner = np.empty(o_proj.shape[1], np.float32), np.empty(down.shape[1], np.float32)
            _norm(x, attention_norm, self.eps, unit)
            share(_product, of_qkv.size // _PACE, of_qkv, unit, qkv)
            by_head = query.reshape(1, self.heads, 1, -1), *kept[:, None, :, place:stop]
            apply_rotary(0, 1, qkv[None], self.cosines[place:stop], self.sines[place:stop], *by_head)
            share(_attend, query.size * (stop - first), query, kept, first, stop, attn_out)
            share(_add_product, o_proj.size // _PACE, o_proj, attn_out, x)
            _norm(x, ffn_norm, self.eps, unit)
            share(_swiglu, gate_up.size // _PACE, gate_up, unit, inner)
            share(_add_product, down.size // _PACE, down, inner, x)
        _norm(x, self.norm, self.eps, unit)
        return unit


def _linear(block: Block) -> tuple[nn.Linear, ...]:
    return block.qkv, block.o_proj, block.gate_up, block.down


def _array(weight: Tensor) -> Floats:
    return np.asarray(weight.detach().numpy())


@compiled
def _norm(x, weight, eps, unit):  # type: ignore[no-untyped-def]
    scale = rms_scale(x, eps)
    for i in range(len(x)):
        unit[i] = x[i] * scale * weight[i]


@compiled
def _product(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    for row in range(len(weight) * part // parts, len(weight) * (part + 1) // parts):
        found[row] = dot(weight[row], x)


@compiled
def _add_product(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    for row in range(len(weight) * part // parts, len(weight) * (part + 1) // parts):
        found[row] += dot(weight[row], x)


@compiled
def _swiglu(part, parts, weight, x, found):  # type: ignore[no-untyped-def]
    width = len(found)
    for row in range(width * part // parts, width * (part + 1) // parts):
        found[row] = silu(dot(weight[row], x)) * dot(weight[width + row], x)


@compiled
def _attend(part, parts, query, kept, first, stop, found):  # type: ignore[no-untyped-def]
    width = kept.shape[3]
    heads, scale = len(query) // width, np.float32(1 / np.sqrt(width))
    scores = np.empty(stop - first, np.float32)
    for head in range(heads * part // parts, heads * (part + 1) // parts):
        shared = head // (heads // kept.shape[1])
        keys, values = kept[0, shared, first:stop], kept[1, shared, first:stop]
        own, sums = query[head * width : (head + 1) * width], found[head * width : (head + 1) * width]
        for place in range(len(scores)):
            scores[place] = dot(own, keys[place]) * scale
        norm = exponentials(scores)
        sums[:] = 0
        for place in range(len(scores)):
            prob, value = scores[place] * norm, values[place]
            for i in range(width):
                sums[i] += prob * value[i]
