"""Shared by ``gpu.py`` and its parts: where they run, what a check is, how a step is timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TINY = 1e-30


class Skipped(Exception):
    """What is asked for cannot be had here; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where everything runs. ``tiny``: small sizes, for which any machine takes seconds."""

    device: str
    tiny: bool

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU of CUDA's."""
        return torch.device(self.device).type == "cuda"

    def some(self, names: list[str], *few: str) -> list[str]:
        """All of the names, or these few where all is to be tiny."""
        return list(few) if self.tiny else names

    def wait(self) -> None:
        """Until all work that was asked for is done."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Check:
    """``error()`` gives the largest error over what it compares, as a share of the largest number there; it may be ``limit``."""

    name: str
    limit: float
    error: Callable[[], float]


def worst(found: Iterable[Tensor], wanted: Iterable[Tensor]) -> float:
    """Of each pair the largest error over the largest number wanted; the largest of these, infinite where one is not finite."""
    errors = [0.0]
    for own, right in zip(found, wanted, strict=True):
        own, right = own.detach().cpu().double(), right.detach().cpu().double()
        if own.shape != right.shape or not bool(own.isfinite().all()):
            return float("inf")
        if right.numel():
            errors.append(float((own - right).abs().max()) / max(float(right.abs().max()), TINY))
    return max(errors)


def timed(step: Callable[[], Any], on: Place, *, warm: int = 3, count: int = 9) -> dict[str, float]:
    """Median milliseconds of a step, by CUDA's events or the clock; on a GPU also the most memory beyond what stood there."""
    count, warm = (2, 1) if on.tiny else (count, warm)
    for _ in range(warm):
        step()
    on.wait()
    seen = [_once(step, on) for _ in range(count)]
    found = {"ms": statistics.median(seen)}
    if on.is_cuda:
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(on.device)
        torch.cuda.reset_peak_memory_stats(on.device)
        step()
        on.wait()
        found["MiB"] = (torch.cuda.max_memory_allocated(on.device) - before) / 2**20
    return found


def _once(step: Callable[[], Any], on: Place) -> float:
    if not on.is_cuda:
        start = time.perf_counter()
        step()
        return 1e3 * (time.perf_counter() - start)
    with torch.cuda.device(on.device):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        step()
        end.record()
        end.synchronize()
    return float(begin.elapsed_time(end))
