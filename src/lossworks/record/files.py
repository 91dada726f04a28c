"""Whole files or nothing: write to a temporary name, fsync, rename, fsync the directory. Who writes the same file waits.

JSON has no nan and no infinity. A number that is not finite is written as null and so read as None, here and in the log, by
``encode_json`` alone: every JSON reader understands it, and no text can be mistaken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..core.errors import RecordError, UsageError

_OF_SYSTEM = re.compile(r"\(os error (\d+)\)")
"""How an error of the system is spelled in those of libraries in Rust: safetensors, tokenizers (a plain Exception), Polars."""


class Fields(dict[str, Any]):
    """An object in a JSON file, a dict but for this: reading a key that it lacks raises RecordError with the file and the key."""

    def __init__(self, value: dict[str, Any], path: Path, within: str = "") -> None:
        super().__init__((key, _named(item, path, f"{within}{key}")) for key, item in value.items())
        self._path, self._within = path, within

    def __missing__(self, key: str) -> Any:
        raise RecordError(f"{self._path} is damaged: it lacks {self._within}{key}. Restore it from a copy, or start again.")


def _named(item: Any, path: Path, name: str) -> Any:
    if isinstance(item, dict):
        return Fields(item, path, f"{name}.")
    return [_named(each, path, f"{name}.{place}") for place, each in enumerate(item)] if isinstance(item, list) else item


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step, its mode as umask has it.

    Raises:
        RecordError: the place cannot be written (permissions, a full disk).
    Whatever is raised, what stood at ``path`` is untouched and the temporary file is gone.
    """
    with _writing(path), _alone(path):
        _replace(path, write)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """``write_atomic``, where nobody else writes ``path``."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        part.touch()
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)  # a writer that renames a private file of its own (safetensors) left that one's
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the only one that writes ``path`` while the block lasts. The lock goes with the process, its file with the block."""
    lock = path.with_name(path.name + ".lock")
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(lock).st_ino == os.fstat(file).st_ino:
                break
        os.close(file)  # of the writer before, who has removed it
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(file)


def write_folder(folder: Path, write: Callable[[Path], object], mark: str) -> None:
    """Let ``write`` fill a folder beside ``folder``, then put it in its place, whole or not at all.

    Args:
        folder: what is there is replaced if it is empty, or holds a file named ``mark``, as what is written does.
        write: is given the folder to fill; its files get the mode that umask has for them.
        mark: the name, or a pattern of it.

    Raises:
        UsageError: something else stands there. RecordError: the place cannot be written.
    """
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _replace_folder(folder, write, mark)


def _replace_folder(folder: Path, write: Callable[[Path], object], mark: str) -> None:
    """``write_folder``, where nobody else writes ``folder``."""
    part, before = (folder.with_name(f"{folder.name}.{name}") for name in ("part", "before"))
    try:
        if folder.exists() and not (folder.is_dir() and (any(folder.glob(mark)) or not any(folder.iterdir()))):
            raise UsageError(f"{folder} exists, and is nothing that can be replaced (it has no {mark}). Choose another place.")
        for left in (part, before):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir()
        write(part)
        for path in part.rglob("*"):
            path.chmod(path.stat().st_mode | (part.stat().st_mode & 0o666))  # as in write_atomic
        if folder.exists():
            folder.replace(before)
        part.replace(folder)
    finally:
        if before.exists() and not folder.exists():
            before.replace(folder)
        for left in (part, before):
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raise what the system, or a library that writes by itself, has against writing ``path`` as RecordError."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError | SafetensorError) and not _OF_SYSTEM.search(str(error)):
            raise
        raise unwritable(path, error) from error


def unwritable(path: Path, error: Exception) -> RecordError:
    """The one message for a place that cannot be written."""
    number = _OF_SYSTEM.search(str(error))
    reason = os.strerror(int(number[1])) if number else getattr(error, "strerror", None) or error
    if isinstance(error, FileNotFoundError) and not path.absolute().parent.is_dir():
        return RecordError(f"cannot write {path}: there is no folder {path.parent}. Make it or choose another place.")
    return RecordError(f"cannot write {path}: {reason}. Free some space or choose another place with --out.")


def make_folder(path: Path) -> None:
    """Make a folder where there is none yet; RecordError where it cannot be made."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically."""
    text = encode_json(value, indent=2) + "\n"
    write_atomic(path, lambda part: part.write_text(text, "utf-8"))


def encode_json(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON, numbers that are not finite as null."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def read_json(path: Path) -> Any:
    """The JSON value in ``path``.

    Raises:
        RecordError: the file is missing, truncated, or is not JSON.
    """
    try:
        value = json.loads(text := path.read_text("utf-8"))
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a character is none, and could be written nowhere
        return value
    except FileNotFoundError:
        raise RecordError(f"{path} is missing. Is {path.parent} a run directory made by `lossworks fit`?") from None
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def read_object(path: Path) -> Fields:
    """The JSON object in ``path``; a key that it lacks, at any depth, raises RecordError when it is asked for.

    Raises:
        RecordError: as of ``read_json``, or it is no object.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise RecordError(f"{path} holds a {type(value).__name__}; wanted an object. Restore it from a copy, or fit again.")
    return Fields(value, path)
