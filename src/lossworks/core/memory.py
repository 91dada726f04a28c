"""Too little memory: how the libraries underneath say it, and how much there is."""

from __future__ import annotations

from pathlib import Path


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; PyTorch says so in words alone on the processor."""
    said = str(error).lower()
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(each in said for each in words))


def available() -> float:
    """Bytes that a process on this machine can still take without swapping; infinite where that is not told."""
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").split("\n")
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, IndexError, ValueError):
        return float("inf")
