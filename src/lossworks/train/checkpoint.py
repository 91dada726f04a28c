"""What a killed run needs to go on as if nothing had happened: one file, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..core.errors import RecordError
from ..record import write_atomic
from ..record.files import unwritable


def save(folder: Path, step: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step`` and remove those before it."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    path = folder / f"step-{step:012d}.safetensors"
    values = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_atomic(path, lambda part: save_file(values, part, {"state": json.dumps(state)}))
    for older in folder.glob("step-*.safetensors"):
        if older != path:
            older.unlink()


def load_newest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest checkpoint's tensors and state, or None where there is none.

    Raises:
        RecordError: the file is damaged.
    """
    paths = sorted(folder.glob("step-*.safetensors"))
    if not paths:
        return None
    try:
        with safe_open(paths[-1], "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["state"])  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{paths[-1]} is damaged ({error}). Remove it to start from the beginning.") from None


def search_in(folder: Path | None) -> dict[str, Any] | None:
    """What the search for a learning rate had found when the newest checkpoint was written; None where there is none."""
    found = load_newest(folder) if folder is not None else None
    return found[1].get("search") if found else None


def remove(folder: Path) -> None:
    """Remove all checkpoints, and what a crash left of one."""
    for path in folder.glob("step-*"):
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
