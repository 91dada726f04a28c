"""What this runs on, for the records."""

from __future__ import annotations

import os
import platform
import resource
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """The processor's name and how many cores this process may use."""
    return {"cpu": processor(), "cores": len(os.sched_getaffinity(0))}


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of ``packages``."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def peak_memory(device: str = "cpu") -> int:
    """The most bytes that this process has held at once: of its tensors on a GPU, else all that was resident."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def processor() -> str:
    """Its name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n")
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def fast_dtype(device: str = "cpu") -> str:
    """The dtype that matrix products of a network are fastest in there: "bfloat16" where the hardware has it, else "float32".

    It depends on the kind of processor alone, never on a clock: the same machine trains in the same dtype each time. Intel's have
    a quick bfloat16 in AMX alone: AVX-512's there makes half as many products in a second as float32's, AMD's twice as many.
    """
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    quick = _able("amx_bf16") or (_able("avx512_bf16") and "intel" not in processor().lower())
    return "bfloat16" if device == "cpu" and quick else "float32"


def reading_dtype(device: str = "cpu") -> str:
    """The same of a network that is not trained: "int8" where a processor has that and no quick bfloat16."""
    found = fast_dtype(device)
    return "int8" if found == "float32" and device == "cpu" and _able("avx512_vnni", "avx_vnni") else found


def _able(*instructions: str) -> bool:
    """Whether the processor has one of these; of PyTorch that does not tell it has none."""
    import torch

    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(each) for each in instructions)
