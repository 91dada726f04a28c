"""Too little memory: how the libraries underneath say it, how much there is, and how much is worked on at once."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where control groups say what they grant."""
_SYSTEM, _GROUPS, _PAGES = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/proc/self/statm")
_LIMITS = {"": ("memory.max", "memory.current", ""), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")}
"""Of version 2 and of version 1: the files of what a group may take and has taken, and what its sums begin with."""
_AT_ONCE = 1 << 22  # numbers of a block that is worked on: 32 MB in float64


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; PyTorch says so in words alone on the processor."""
    said = str(error).lower()
    words = ("out of memory", "allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(each in said for each in words))


def available(device: str = "cpu") -> float:
    """Bytes that a process can still take on a device, on the CPU without swapping and within the limits of the container or
    job that it runs in and of ``ulimit``; infinite where that is not told.
    """
    if device.startswith("cuda"):
        import torch  # most that ask are on the CPU, and metrics do without

        return float(torch.cuda.mem_get_info(device)[0])
    free = float("inf")
    with suppress(OSError, KeyError, ValueError):
        free = _numbers(_SYSTEM)["MemAvailable:"] * 1024.0
    return min([free, *_granted(), *_limited()])


def _limited() -> Iterator[float]:
    """What the limits of this process (``ulimit``), on its addresses and on its data, still leave it."""
    with suppress(OSError, ValueError):
        size, _, _, _, _, data, _ = map(int, _PAGES.read_text("utf-8").split())
        for kind, taken in ((resource.RLIMIT_AS, size), (resource.RLIMIT_DATA, data)):
            if (most := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY:
                yield max(0.0, float(most - taken * resource.getpagesize()))


def _granted() -> Iterator[float]:
    """What each control group above this process still grants; files in the cache, which it has to give back, count as free."""
    lines = list[str]()
    with suppress(OSError):
        lines = _GROUPS.read_text("utf-8").splitlines()
    for line in lines:
        _, kinds, own = line.split(":", 2)
        kind = "memory" if "memory" in kinds.split(",") else kinds
        if kind not in _LIMITS:
            continue
        (most, taken, sums), root = _LIMITS[kind], CGROUPS / kind
        group = root / own.lstrip("/")
        for each in (group, *(parent for parent in group.parents if parent.is_relative_to(root))):
            with suppress(OSError, KeyError, ValueError):  # no such group here, or "max"
                cached = _numbers(each / "memory.stat")
                kept = cached[f"{sums}inactive_file"] + cached[f"{sums}active_file"]
                yield max(0.0, float(int((each / most).read_text("utf-8")) - int((each / taken).read_text("utf-8")) + kept))


def _numbers(path: Path) -> dict[str, int]:
    """Of a file of lines such as ``name number``."""
    return {name: int(number) for name, number, *_ in map(str.split, path.read_text("utf-8").splitlines())}


def taken() -> float:
    """Bytes that this process has in memory, its code and files left out; 0 where that is not told."""
    with suppress(OSError, ValueError):
        _, resident, shared, *_ = map(int, _PAGES.read_text("utf-8").split())
        return float((resident - shared) * resource.getpagesize())
    return 0.0


def in_gb(size: float) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:,.3g} GB" if size < 1e11 else f"{size / 1e9:,.0f} GB"


def rows_at_once(width: int, most: int) -> int:
    """How many rows of ``width`` numbers are worked on at once: ``most``, and fewer where the rows are wide; at least one."""
    return max(1, min(most, _AT_ONCE // max(width, 1)))
