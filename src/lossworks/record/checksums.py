"""Checksums of a run's model: what is loaded is, to the bit, what was saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import xxhash

from ..core.errors import RecordError

_MODEL = ("config.json", "tokenizer.json", "classes.json", "*.safetensors", "classes/*/*", "hf/*", "pool.json", "sources/**/*")
"""The files of a model in a run directory, whatever its family."""
OPTIMIZER = "optimizer"
"""The folder of a run with its optimizer's state, which only a fit that goes on from it reads, and which may be removed."""


def checksums(folder: Path, patterns: Iterable[str] = (*_MODEL, f"{OPTIMIZER}/*")) -> dict[str, str]:
    """XXH3 (128 bits) of every file of the model in a run directory, and of its optimizer's state, by its path in there."""
    found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): checksum(path) for path in found}


def check_optimizer(folder: Path, saved: Mapping[str, str]) -> None:
    """Raise RecordError where the optimizer's state in ``folder`` is not the one whose checksum was ``saved``; it may be gone."""
    own = {name: value for name, value in saved.items() if name.startswith(f"{OPTIMIZER}/")}
    if own and (folder / OPTIMIZER).exists():
        _compare(folder, own, checksums(folder, [f"{OPTIMIZER}/*"]))


def check_files(folder: Path, saved: Mapping[str, str]) -> None:
    """Raise RecordError where a file of the model in ``folder`` is not the one whose checksum was ``saved``, or is missing."""
    own = {name: value for name, value in saved.items() if not name.startswith(f"{OPTIMIZER}/")}
    _compare(folder, own, checksums(folder, _MODEL) if own else {})


def _compare(folder: Path, saved: Mapping[str, str], found: Mapping[str, str]) -> None:
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
