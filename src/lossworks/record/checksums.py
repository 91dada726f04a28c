"""Checksums of a run's model: what is loaded is, to the bit, what was saved."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import xxhash

from ..core.errors import RecordError

_MODEL = ("config.json", "tokenizer.json", "classes.json", "*.safetensors", "classes/*/*", "hf/*", "pool.json", "sources/**/*")
"""The files of a model in a run directory, whatever its family."""


def checksums(folder: Path) -> dict[str, str]:
    """XXH3 (128 bits) of every file of the model in a run directory, by its path in there."""
    found = sorted(path for pattern in _MODEL for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): checksum(path) for path in found}


def check_files(folder: Path, saved: Mapping[str, str]) -> None:
    """Raise RecordError where a file in ``folder`` is not the one whose checksum was ``saved``, or is missing."""
    found = checksums(folder) if saved else {}
    for name, wanted in saved.items():
        if found.get(name) != wanted:
            what = "is damaged: it is not what was saved, by its checksum in run.json" if name in found else "is missing"
            raise RecordError(f"{folder / name} {what}. Restore it from a copy, or fit again.")


def checksum(path: Path) -> str:
    """XXH3 (128 bits) of a file.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return str(hashlib.file_digest(file, xxhash.xxh3_128).hexdigest())
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror or error}.") from error
