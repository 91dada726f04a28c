"""Whole files or nothing: write to a temporary name, fsync, rename, fsync the directory."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..core.errors import RecordError


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step.

    Raises:
        RecordError: the place cannot be written (permissions, a full disk).
    Whatever is raised, what stood at ``path`` is untouched and the temporary file is gone.
    """
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError | SafetensorError):  # the latter is how safetensors says that the disk is full
            raise unwritable(path, error) from error
        raise


def unwritable(path: Path, error: Exception) -> RecordError:
    """The one message for a place that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return RecordError(f"cannot write {path}: {reason}. Free some space or choose another place with --out.")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically. Numbers that JSON cannot spell (nan, inf) are refused."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    write_atomic(path, lambda part: _write_text(part, text + "\n"))


def read_json(path: Path) -> Any:
    """The JSON value in ``path``.

    Raises:
        RecordError: the file is missing, truncated, or is not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecordError(f"{path} is missing. Is {path.parent} a run directory made by `lossworks fit`?") from None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
