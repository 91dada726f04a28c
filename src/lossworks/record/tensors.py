"""Named arrays in one file, in the layout of safetensors: written piece by piece, read by mapping.

Eight bytes with the header's length, the header as JSON, then the arrays end to end. Arrays may be larger than memory on both
sides: written from mapped files, read lazily page by page. Wider items stand first and the header is padded, so that every
array is aligned. The library ``safetensors`` opens what is written here.
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import RecordError
from .files import write_atomic

Array = NDArray[Any]
T = TypeVar("T")

_DTYPES = {
    "U8": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F16": "<f2",
    "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_ALIGNMENT = 64
_LONGEST_HEADER = 100_000_000  # the limit of safetensors
_PIECE = 1 << 24  # bytes copied at a time


def write_tensors(
    path: Path,
    tensors: Mapping[str, Array],
    notes: Mapping[str, str],
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Write one-dimensional or wider arrays and some notes, atomically; ``progress`` is told of bytes written.

    Raises:
        RecordError: the place cannot be written.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].dtype.itemsize))
    header: dict[str, Any] = {"__metadata__": dict(notes)}
    end = 0
    for name, array in ordered.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)

    def write(part: Path) -> None:
        done = 0
        with part.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for array in ordered.values():
                flat = array.reshape(-1)
                step = _PIECE // array.dtype.itemsize
                for first in range(0, len(flat), step):
                    piece = np.ascontiguousarray(flat[first : first + step])
                    file.write(piece.data)
                    done += piece.nbytes
                    progress(done, end)
                    forget(array)

    write_atomic(path, write)


def under(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """The tensors whose names begin so, without that."""
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def not_finite(path: Path | str, name: str) -> RecordError:
    """What is raised where a tensor that was read holds nan or infinity."""
    return RecordError(f"{path}: {name} holds values that are not finite. Restore it from a copy, or fit again.")


def forget(array: Array) -> None:
    """Let go of what was read of a mapped file, which counts as this process's memory; it is read again when needed."""
    if isinstance(array, np.memmap) and array.mode == "r":
        array._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def map_tensors(path: Path, *, scattered: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays of a file that ``write_tensors`` or safetensors wrote, mapped read-only, and its notes.

    Takes milliseconds whatever the size: the header is checked against the file's size, the arrays are not looked at.

    Args:
        scattered: few places will be looked at, far apart, so nothing around them is read (else up to megabytes are).

    Raises:
        RecordError: the file is missing, cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError(f"its header would have {length} bytes")
            header = json.loads(file.read(length).decode())
        data = np.empty(0, np.uint8)
        if path.stat().st_size > 8 + length:
            data = np.memmap(path, np.uint8, "r", offset=8 + length)
            if scattered:
                data._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
        notes = header.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in notes.values()):
            raise ValueError("its notes are no text")
        return _views(header, np.asarray(data)), notes
    except FileNotFoundError:
        raise RecordError(f"{path} is missing. Restore it from a copy, or fit again.") from None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, struct.error) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def _views(header: dict[str, Any], data: NDArray[np.uint8]) -> dict[str, Array]:
    """Each array as a view of the data; ValueError and its like where the header does not describe it without gaps."""
    views, expected = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: (*item[1]["data_offsets"], item[0])):
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        (start, end), shape = entry["data_offsets"], entry["shape"]
        if not all(isinstance(size, int) and size >= 0 for size in (start, end, *shape)):
            raise ValueError(f"{name} has sizes that are no whole numbers")
        if start != expected or end - start != math.prod(shape) * dtype.itemsize or end > len(data):
            raise ValueError(f"{name} does not lie where its header says")
        array = data[start:end]
        if not array.size or (array.ctypes.data % dtype.itemsize):
            array = array.copy()  # safetensors itself does not align
        views[name] = array.view(dtype).reshape(shape)
        views[name].flags.writeable = False
        expected = end
    if expected != len(data):
        raise ValueError(f"{len(data) - expected} bytes belong to no array")
    return views
