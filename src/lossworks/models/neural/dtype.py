"""In which numbers a network trains fastest on this machine: measured, for processors differ too much to know."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .base import LanguageNetwork

if TYPE_CHECKING:
    from jaxtyping import Int

_CHOICES = (torch.float32, torch.bfloat16)
_WORTH = 0.9  # bfloat16 has to take less than this part of float32's time, for it costs precision


@dataclass(frozen=True, slots=True)
class Fastest:
    """The choice, for ``torch.autocast(device, dtype)``; the seconds a pass took in each; both in words."""

    dtype: torch.dtype
    seconds: dict[torch.dtype, float]
    said: str


def fastest_dtype(network: LanguageNetwork, ids: Int[Tensor, "B T"], rounds: int = 5) -> Fastest:
    """Run the body forwards and backwards on a batch like those to come, in turn in float32 and with bfloat16 products.

    Weights, gradients and random numbers stay as they are.
    """
    seen: dict[torch.dtype, list[float]] = {dtype: [] for dtype in _CHOICES}
    training = network.training
    with torch.random.fork_rng(), torch.enable_grad():
        network.train()
        for number in range(rounds + 1):
            for dtype in _CHOICES:
                seconds = _pass(network, ids, dtype)
                if number:  # the first finds its kernels
                    seen[dtype].append(seconds)
        network.train(training)
    medians = {dtype: statistics.median(times) for dtype, times in seen.items()}
    wide, narrow = (medians[dtype] for dtype in _CHOICES)
    best = torch.bfloat16 if narrow < _WORTH * wide else torch.float32
    said = f"{1e3 * wide:.3g} ms in float32, {1e3 * narrow:.3g} ms with bfloat16 products: {str(best).removeprefix('torch.')}"
    return Fastest(best, medians, said)


def _pass(network: LanguageNetwork, ids: Tensor, dtype: torch.dtype) -> float:
    device = ids.device.type
    trained = [p for p in network.parameters() if p.requires_grad]
    _wait(device)
    start = time.perf_counter()
    with torch.autocast(device, torch.bfloat16, enabled=dtype is torch.bfloat16):
        mean = network.hidden(ids).float().square().mean()
    torch.autograd.grad(mean, trained, allow_unused=True)  # the head has no part in it
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
