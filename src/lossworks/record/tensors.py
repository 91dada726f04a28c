"""Named arrays in one file in the safetensors format, larger than memory: written piece by piece, read by mapping.

The official library reads these files too; what it has not is writing arrays that lie in other files, and mapping without a copy.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from .files import write_atomic

_KINDS = {
    "U8": np.uint8,
    "U16": np.uint16,
    "U32": np.uint32,
    "U64": np.uint64,
    "I64": np.int64,
    "F32": np.float32,
    "F64": np.float64,
}
_NAMES = {np.dtype(kind): name for name, kind in _KINDS.items()}
_PIECE = 1 << 24  # bytes
_ALIGNED = 8


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write ``arrays`` and ``metadata``, atomically. The widest numbers come first, so that all are aligned."""
    ordered = dict(sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at = 0
    for name, array in ordered.items():
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNED)

    def write(part: Path) -> None:
        with part.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in ordered.values():
                _copy(array, file)

    write_atomic(path, write)


def _copy(array: NDArray[Any], file: BinaryIO) -> None:
    flat = array.reshape(-1)
    step = _PIECE // array.dtype.itemsize
    for start in range(0, len(flat), step):
        flat[start : start + step].tofile(file)
        forget(array)


def forget(array: NDArray[Any]) -> None:
    """Let go of what was read of a mapped file, which counts as this process's memory; it is read again when needed."""
    if isinstance(array, np.memmap) and array.mode == "r":
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def map_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays of a file, mapped and not read, and its metadata.

    Raises:
        RecordError: the file is missing, truncated, or not in the format.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size - 8, 100_000_000):
                raise ValueError("its header has no sensible length")
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        return {name: _mapped(path, 8 + length, size, about) for name, about in header.items()}, metadata
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def _mapped(path: Path, data: int, size: int, about: dict[str, Any]) -> NDArray[Any]:
    kind, shape, (begin, end) = np.dtype(_KINDS[about["dtype"]]), tuple(about["shape"]), about["data_offsets"]
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if not 0 <= begin <= end <= size - data or count * kind.itemsize != end - begin or (data + begin) % kind.itemsize:
        raise ValueError("an array lies beyond its end: it may be truncated")
    if count == 0:
        return np.zeros(shape, kind)
    return np.memmap(path, kind, "c", data + begin, shape)
