"""What a killed run needs to go on as if nothing had happened: one file, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..core.errors import RecordError
from ..record import write_atomic
from ..record.files import unwritable

T = TypeVar("T")


def save(folder: Path, step: int, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step`` and remove those before it."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    path = folder / f"step-{step:012d}.safetensors"
    values = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps({**state, "checksum": _checksum(values, state)})
    write_atomic(path, lambda part: save_file(values, part, {"state": text}))
    for older in folder.glob("step-*.safetensors"):
        if older != path:
            older.unlink()


def load_newest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest checkpoint's tensors and state, or None where there is none.

    Raises:
        RecordError: the file is damaged.
    """
    return _of_newest(folder, _whole)


def _of_newest(folder: Path, read: Callable[[Any, dict[str, Any]], T]) -> T | None:
    """What ``read`` makes of the newest checkpoint, opened, and its state; None where there is none."""
    paths = sorted(folder.glob("step-*.safetensors"))
    if not paths:
        return None
    try:
        with safe_open(paths[-1], "pt") as file:
            return read(file, json.loads(file.metadata()["state"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{paths[-1]} is damaged ({error}). Remove it to start from the beginning.") from None


def _whole(file: Any, state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    checksum = state.pop("checksum", None)  # earlier versions wrote none
    if checksum not in (None, _checksum(tensors, state)):
        raise ValueError("its checksum is another")
    return tensors, state


def _checksum(tensors: dict[str, Tensor], state: dict[str, Any]) -> str:
    """Of contiguous tensors and a state."""
    made = xxhash.xxh3_128(json.dumps(state).encode())
    for name, tensor in sorted(tensors.items()):
        made.update(name.encode())
        made.update(tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy().data)
    return made.hexdigest()


def load(folder: Path | None, take: Callable[[dict[str, Tensor], dict[str, Any]], None]) -> None:
    """Give ``take`` the newest checkpoint's tensors and state, if there is one.

    Raises:
        RecordError: it is damaged, or of another run, which ``take`` says by a KeyError, TypeError, ValueError or RuntimeError.
    """
    found = load_newest(folder) if folder is not None else None
    if found is None:
        return
    try:
        take(*found)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RecordError(f"{folder} does not fit the run ({error}). Remove it to start from the beginning.") from None


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """All that a network is: its parameters and buffers, what two layers share once."""
    kept = network.state_dict(keep_vars=True)
    once = {id(tensor): name for name, tensor in reversed(kept.items())}
    return {name: kept[name].detach() for name in reversed(once.values())}


def copied(network: nn.Module) -> dict[str, Tensor]:
    """A copy of ``weights_of``, which training does not move."""
    return {name: value.clone() for name, value in weights_of(network).items()}


def digest(network: nn.Module) -> str:
    """Of all that a network is, which differs where a bit does."""
    return _checksum({name: value.cpu().contiguous() for name, value in weights_of(network).items()}, {})


@torch.no_grad()
def fill(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put back what ``weights_of`` gave.

    Raises:
        ValueError: they are of another network.
    """
    own = weights_of(network)
    shapes, wanted = ({name: tuple(value.shape) for name, value in each.items()} for each in (weights, own))
    if shapes != wanted:
        strange = sorted(dict(shapes.items() ^ wanted.items()))
        raise ValueError(f"the weights are of another network: {', '.join(strange[:5])}")
    for name, tensor in own.items():
        tensor.copy_(weights[name])


def search_in(folder: Path | None) -> dict[str, Any] | None:
    """What the search for a learning rate had found when the newest checkpoint was written; None where there is none."""
    return None if folder is None else _of_newest(folder, lambda file, state: state.get("search"))


def remove(folder: Path) -> None:
    """Remove all checkpoints, what a crash left of one, and the plan beside them."""
    for path in [*folder.glob("step-*"), *folder.glob("plan.json*")]:
        path.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
