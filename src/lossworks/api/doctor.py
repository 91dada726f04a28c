"""What this machine offers, what of it is slow, and what to do about that: facts that the systems tell, nothing is timed."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import memory, threads
from ..core.machine import fast_dtype, machine, versions
from ..core.wording import counted

_SCARCE_MEMORY, _SCARCE_DISK = 4 << 30, 5 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact: what it is about, what was found, and what is slow there, why, and what to do; empty where all is well."""

    name: str
    found: str
    advice: str = ""


def doctor(out: Path | str = ".") -> list[Finding]:
    """What was found on this machine. ``out``: the folder that runs are to be written to."""
    told = versions("lossworks", "torch", "numba", "numpy")
    return [
        Finding("versions", ", ".join(f"{name} {version}" for name, version in told.items())),
        _cores(),
        _memory(),
        *_processor(),
        _gpu(),
        *(_disk(name, Path(place)) for name, place in (("disk of runs", out), ("temporary disk", tempfile.gettempdir()))),
        _compiled(),
    ]


def _cores() -> Finding:
    usable, used, all_cores = machine()["cores"], threads.available(), os.cpu_count() or 1
    found = f"{machine()['cpu']}: {counted(used, 'thread')} on {usable} of {counted(all_cores, 'core')}"
    quota = _quota()
    if quota is not None and quota < used:
        return Finding(
            "cores",
            f"{found}, limited to the time of {quota:g}",
            f"More threads than the container has time for wait for one another. Set LOSSWORKS_THREADS={max(1, int(quota))}.",
        )
    if used < usable:
        return Finding("cores", found, f"{counted(usable - used, 'core')} idle: LOSSWORKS_THREADS says so. Unset it to use all.")
    if usable < all_cores:
        return Finding("cores", found, "taskset, a container or a batch system keeps this process from the others.")
    return Finding("cores", found)


def _quota() -> float | None:
    """The cores' time that a control group grants, where it limits that."""
    try:
        most, period = (memory.CGROUPS / "cpu.max").read_text("utf-8").split()
        return int(most) / int(period)
    except (OSError, ValueError):  # no such group, or "max"
        return None


def _memory() -> Finding:
    free = memory.available()
    advice = "Little for large texts and networks: give --memory 1G, smaller batches, or end other programs."
    return Finding("memory", f"{free / 2**30:.1f} GiB free", advice if free < _SCARCE_MEMORY else "")


def _processor() -> list[Finding]:
    """The instructions that PyTorch uses here, and the dtype that is fast with them."""
    import torch

    used = torch.backends.cpu.get_cpu_capability()
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    extra = [name for name, flag in (("AVX-512 VNNI", "avx512_vnni"), ("AVX-512 BF16", "avx512_bf16"), ("AMX BF16", "amx_bf16"))
             if able.get(flag)]  # fmt: skip
    slow = ""
    if used in ("DEFAULT", "NO AVX"):
        why = (
            "ATEN_CPU_CAPABILITY says so; unset it" if "ATEN_CPU_CAPABILITY" in os.environ else "take a newer processor or a GPU"
        )
        slow = f"PyTorch uses no wide vectors, so networks train several times more slowly than with AVX2: {why}."
    dtype = fast_dtype()
    plain = "Networks train faster in bfloat16 on processors quick in it (by AMX, or AMD's AVX-512 BF16); this one is not."
    return [
        Finding("instructions", ", ".join([used, *extra]), slow),
        Finding("dtype", f"{dtype} on the processor", plain if dtype == "float32" else ""),
    ]


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        named = [f"{torch.cuda.get_device_name(i)} ({torch.cuda.mem_get_info(i)[0] / 2**30:.0f} GiB free)"
                 for i in range(torch.cuda.device_count())]  # fmt: skip
        slow = "" if fast_dtype("cuda") == "bfloat16" else "It has no bfloat16, with which networks train faster."
        return Finding("GPU", f"{', '.join(named)}; {fast_dtype('cuda')}; use it by --device cuda", slow)
    why = "this PyTorch is built without CUDA" if torch.version.cuda is None else "PyTorch's CUDA sees no device or no driver"
    advice = "Large networks train slowly on a processor; linear, bag and ngram need no GPU."
    return Finding("GPU", f"none: {why}", advice)


def _disk(name: str, place: Path) -> Finding:
    there = next(folder for folder in (place.resolve(), *place.resolve().parents) if folder.exists())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    where = "--out" if name == "disk of runs" else "TMPDIR"
    scarce = f"Checkpoints and shards of features may not fit. Name a larger disk by {where}." if free < _SCARCE_DISK else ""
    advice = scarce if writable else f"It cannot be written. Name another by {where}."
    return Finding(name, f"{there}: {free / 2**30:.1f} GiB free", advice)


def _compiled() -> Finding:
    """Where compiled code is kept, by Numba and as kernels, and whether any is there."""
    from numba import njit

    try:
        place = Path(str(njit(cache=True)(_cores).stats.cache_path))  # found out, nothing is compiled
    except RuntimeError as error:
        return Finding("compiled code", f"cannot be kept: {error}", "Set NUMBA_CACHE_DIR to a folder that can be written.")
    package = Path(__file__).parents[1]
    whole = package if place.is_relative_to(package) else place.parent
    kept = sum(1 for like in ("*.nbi", "*.kernel") for _ in whole.rglob(like))
    found = f"{counted(kept, 'function')} kept under {whole}"
    if not os.access(next(folder for folder in (place, *place.parents) if folder.exists()), os.W_OK):
        advice = "It cannot be written, so every process compiles anew. Set NUMBA_CACHE_DIR to a folder that can be."
    else:
        advice = "" if kept else "Each verb compiles at its first use, for up to a minute or two; after that it does not."
    return Finding("compiled code", found, advice)
