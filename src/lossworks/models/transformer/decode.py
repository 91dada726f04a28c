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
from . import kernels

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
        x: Floats = self.embedding[token : token + 1].copy()
        added, unit, more, scale = x[:0], np.empty_like(x), np.empty_like(x), np.empty(1, np.float32)
        tables = self.cosines[place : place + 1], self.sines[place : place + 1]
        first, stop = max(0, place + 1 - self.window), place + 1
        query: Floats = np.empty((1, self.heads, 1, past.shape[4]), np.float32)
        for (attention_norm, qkv, o_proj, ffn_norm, gate_up, down), kept in zip(self.blocks, past, strict=True):
            heads, attn_out = np.empty((1, len(qkv)), np.float32), np.empty(o_proj.shape[1], np.float32)
            both, inner = np.empty((1, len(gate_up)), np.float32), np.empty((1, down.shape[1]), np.float32)
            kernels.add_norm(0, 1, x, added, attention_norm, self.eps, x, scale, unit)
            share(kernels.matvec, qkv.size // _PACE, qkv, unit[0], heads[0])
            kernels.apply_rotary(0, 1, heads, *tables, query, kept[:1, :, place:stop], kept[1:, :, place:stop])
            reads = self.heads * (stop - first) * past.shape[4]
            share(kernels.attend_one, reads, query[0, :, 0], kept[:, :, first:stop], attn_out)
            share(kernels.matvec, o_proj.size // _PACE, o_proj, attn_out, more[0])
            kernels.add_norm(0, 1, x, more, ffn_norm, self.eps, x, scale, unit)
            share(kernels.matvec, gate_up.size // _PACE, gate_up, unit[0], both[0])
            kernels.swiglu(0, 1, both, inner)
            share(kernels.matvec, down.size // _PACE, down, inner[0], more[0])
            added = more
        kernels.add_norm(0, 1, x, added, self.norm, self.eps, x, scale, unit)
        return unit[0]


def _linear(block: Block) -> tuple[nn.Linear, ...]:
    return block.qkv, block.o_proj, block.gate_up, block.down


def _array(weight: Tensor) -> Floats:
    return np.asarray(weight.detach().numpy())
