"""Too little memory: how the libraries underneath say it, how much there is, and how much is worked on at once."""

from __future__ import annotations

from pathlib import Path

_AT_ONCE = 1 << 22  # numbers of a block that is worked on: 32 MB in float64


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; PyTorch says so in words alone on the processor."""
    said = str(error).lower()
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(each in said for each in words))


def available(device: str = "cpu") -> float:
    """Bytes that a process can still take on a device, on the CPU without swapping; infinite where that is not told."""
    if device.startswith("cuda"):
        import torch  # most that ask are on the CPU, and metrics do without

        return float(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").split("\n")
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, IndexError, ValueError):
        return float("inf")


def rows_at_once(width: int, most: int) -> int:
    """How many rows of ``width`` numbers are worked on at once: ``most``, and fewer where the rows are wide; at least one."""
    return max(1, min(most, _AT_ONCE // max(width, 1)))
