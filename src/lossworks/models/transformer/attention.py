"""Attention: which keys a query may see, rotary positions, and the keys and values that generation keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from .decode import Weights


def rotary_tables(size: int, head_dim: int, theta: float) -> tuple[Float[Tensor, "T h"], Float[Tensor, "T h"]]:
    """Cosines and signed sines of every position's angles, for ``ops.rotary_heads``."""
    frequencies = 1 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(size, dtype=torch.float32), frequencies)
    cosines, sines = angles.cos(), angles.sin()
    return torch.cat([cosines, cosines], -1), torch.cat([-sines, sines], -1)


def causal_mask(
    new: int, before: int, window: int | None, documents: Int[Tensor, "B T"] | None, device: torch.device
) -> Bool[Tensor, "*B new keys"] | None:
    """Which of ``before + new`` keys each of the last ``new`` queries sees: made once for all layers.

    None where nothing but the order of tokens says so and the kernels need no mask.
    """
    keys = before + new
    narrow = window is not None and window < keys
    if documents is None and not narrow and (before == 0 or new == 1):
        return None
    distance = torch.arange(before, keys, device=device)[:, None] - torch.arange(keys, device=device)
    seen = distance >= 0
    if window is not None:
        seen &= distance < window
    if documents is None:
        return seen
    return (seen & (documents[:, :, None] == documents[:, None, :]))[:, None]


def attend(
    queries: Float[Tensor, "B heads T h"],
    keys: Float[Tensor, "B kv S h"],
    values: Float[Tensor, "B kv S h"],
    mask: Bool[Tensor, "*#B #T S"] | None,
    *,
    causal: bool,
) -> Float[Tensor, "B heads T h"]:
    """Softmax attention, ``heads / kv`` query heads to a key head; ``causal`` where there is no mask but the order of tokens."""
    groups = queries.shape[1] // keys.shape[1]
    if queries.shape[2] == 1 and mask is None:  # one query sees all keys: its heads stand as rows, and no key is repeated
        rows = queries.reshape(len(queries), keys.shape[1], groups, -1)
        return functional.scaled_dot_product_attention(rows, keys, values).reshape(queries.shape)
    causal = causal and mask is None
    return functional.scaled_dot_product_attention(queries, keys, values, mask, is_causal=causal, enable_gqa=groups > 1)


class Cache:
    """Keys and values of what was read, every layer's in one block [layers, 2, B, kv, room, h] that grows by doubling.

    ``written`` places are taken. Several ``Reading``s may look at the beginning of one cache; only the one that has seen
    all that is written may write on, any other takes a copy.
    """

    def __init__(self, block: Float[Tensor, "layers two B kv room h"], written: int = 0) -> None:
        self.block = block
        self.written = written

    def with_room(self, length: int, size: int, limit: int) -> Cache:
        """A cache that holds this one's first ``length`` places and can take ``size`` in all."""
        room = self.block.shape[4]
        if self.written == length and size <= room:
            return self
        block = self.block.new_empty(*self.block.shape[:4], min(limit, max(size, 2 * length, 64)), self.block.shape[5])
        block[..., :length, :] = self.block[..., :length, :]
        return Cache(block, length)


@dataclass(frozen=True, slots=True)
class Reading:
    """The first ``length`` places of a cache: what a text's beginning left behind; the weights of ``decode`` where it serves."""

    cache: Cache
    length: int
    weights: Weights | None
