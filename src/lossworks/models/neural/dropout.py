"""Dropout whose random numbers are a function of place and seed, made in the same pass over memory, by all threads.

PyTorch draws them on the processor one after another; of a small model's step that can be a tenth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...core.threads import share


class Dropout(nn.Dropout):
    """``nn.Dropout``, compiled for float32 on the processor, and as it is elsewhere; seeds come from PyTorch's generator."""

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and self.p and _is_compiled(input)):
            return super().forward(input)
        dropped: Tensor = _Dropped.apply(input, self.p, new_seed())  # type: ignore[no-untyped-call]
        return dropped


def new_seed() -> int:
    """For ``drop``, from PyTorch's generator."""
    return int(torch.randint(1 << 32, ()))


def drop(x: Tensor, p: float, seed: int) -> Tensor:
    """x / (1 - p) with a share p of the elements 0: the same ones for the same seed and number of elements. No gradient."""
    if not _is_compiled(x):
        generator = torch.Generator(x.device).manual_seed(seed)
        return x * (torch.rand(x.shape, generator=generator, device=x.device) >= p) / (1 - p)
    x, found = x.detach().contiguous(), torch.empty(x.shape)
    given = np.uint32(seed), np.uint32(min(p * 2.0**32, 2.0**32 - 1)), np.float32(1 / (1 - p) if p < 1 else 0)
    share(_drop, x.numel(), x.view(-1).numpy(), *given, found.view(-1).numpy())
    return found


class _Dropped(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, seed: int) -> Tensor:
        ctx.given = p, seed
        return drop(x, p, seed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        return drop(grad_output, *ctx.given), None, None


def _is_compiled(x: Tensor) -> bool:
    return x.is_cpu and x.dtype is torch.float32 and not torch.compiler.is_compiling()


@njit(cache=True, nogil=True, error_model="numpy")
def _drop(part, parts, x, seed, least, scale, found):  # type: ignore[no-untyped-def]
    """found = x · scale where a hash of its place, with the seed within, is ``least`` or more (Wellons' lowbias32), else 0."""
    begin, end = len(x) * part // parts, len(x) * (part + 1) // parts
    own, to = x[begin:end], found[begin:end]
    for i in range(end - begin):
        h = np.uint32(np.uint32(begin + i) * np.uint32(0x9E3779B1))
        h = np.uint32((h ^ (h >> np.uint32(16))) + seed)
        h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
        h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
        h = np.uint32(h ^ (h >> np.uint32(16)))
        to[i] = own[i] * scale if h >= least else np.float32(0)
