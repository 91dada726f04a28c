"""What a killed run needs to go on as if nothing had happened: one file, written whole or not at all.

Several processes write a folder instead (``parted``), which ``newest.json`` names.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ..core.errors import RecordError
from ..core.lazy import Later
from ..optim.parts import chunk, part_of
from ..record import write_atomic
from ..record.files import make_folder

if TYPE_CHECKING:
    import torch
    from torch import Tensor, distributed, nn
else:
    torch, distributed = Later("torch"), Later("torch.distributed")

T = TypeVar("T")
NEWEST = "newest.json"
Saved = tuple[dict[str, "Tensor"], dict[str, Any]]
Divided = Callable[[str, "torch.Size"], bool]


def save(folder: Path, step: int, tensors: Mapping[str, Tensor] | Mapping[str, NDArray[Any]], state: dict[str, Any]) -> None:
    """Write the checkpoint of ``step``, of tensors or of arrays, and remove those before it."""
    make_folder(folder)
    path = folder / f"step-{step:012d}.safetensors"
    save_file: Any
    values: Any
    if all(isinstance(value, np.ndarray) for value in tensors.values()):
        from safetensors.numpy import save_file

        values = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    else:
        from safetensors.torch import save_file

        values = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}  # type: ignore[union-attr]
    text = json.dumps({**state, "checksum": _checksum(values, state)})
    write_atomic(path, lambda part: save_file(values, part, {"state": text}))
    remove_others(folder, path)


def load_newest(folder: Path, group: Any = None, divided: Divided = lambda name, size: False) -> Saved | None:
    """The newest checkpoint's tensors and state, or None where there is none, however many processes have written it.

    Args:
        group: the processes that read it together; None: this one alone.
        divided: whether each of them is to have its part of the tensor of this name and shape.

    Raises:
        RecordError: it is damaged.
    """
    if (folder / NEWEST).exists():
        from .parted import Parted, step_of  # slow to import, and most runs have one process

        alone = [int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.safetensors")]
        if max(alone, default=-1) <= step_of(folder):
            return Parted(folder, group).load(divided)
    found = _of_newest(folder, _whole)
    if found is None or group is None:
        return found
    rank, size = distributed.get_rank(group), distributed.get_world_size(group)
    return {name: chunk(t, rank, size).clone() if divided(name, t.shape) else t for name, t in found[0].items()}, found[1]


def remove_others(folder: Path, kept: Path) -> None:
    """Remove all checkpoints but ``kept``. Where that is a file, no folder is the newest any more, which is said first."""
    with contextlib.suppress(OSError):  # what stays is removed with the next one
        if kept.is_file():
            (folder / NEWEST).unlink(missing_ok=True)
    for older in folder.glob("step-*"):
        if older != kept:
            _remove(older)


def damaged(path: Path, error: object) -> RecordError:
    """The one message for a checkpoint that cannot be read."""
    return RecordError(f"{path} is damaged ({error}). Remove it to start from the beginning.")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _of_newest(folder: Path, read: Callable[[Any, dict[str, Any]], T], kind: str = "pt") -> T | None:
    """What ``read`` makes of the newest checkpoint, opened, and its state; None where there is none."""
    paths = sorted(folder.glob("step-*.safetensors"))
    if not paths:
        return None
    try:
        with safe_open(paths[-1], kind) as file:
            if not isinstance(state := json.loads(file.metadata()["state"]), dict):
                raise ValueError("its state is no object")
            return read(file, state)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise damaged(paths[-1], error) from None


def _whole(file: Any, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    checksum = state.pop("checksum", None)  # earlier versions wrote none
    if checksum not in (None, _checksum(tensors, state)):
        raise ValueError("its checksum is another")
    return tensors, state


def _checksum(tensors: Mapping[str, Any], state: dict[str, Any]) -> str:
    """Of contiguous tensors, or arrays, and a state."""
    made = xxhash.xxh3_128(json.dumps(state).encode())
    for name, tensor in sorted(tensors.items()):
        made.update(name.encode())
        if not isinstance(tensor, np.ndarray):
            tensor = tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy()
        made.update(tensor.reshape(-1).view(np.uint8).data)
    return made.hexdigest()


def load(
    folder: Path | None,
    take: Callable[[dict[str, Tensor], dict[str, Any]], None],
    group: Any = None,
    divided: Divided = lambda name, size: False,
) -> None:
    """Give ``take`` the newest checkpoint's tensors and state, if there is one; ``group`` and ``divided`` as of ``load_newest``.

    Raises:
        RecordError: it is damaged, or of another run, which ``take`` says by a KeyError, TypeError, ValueError or RuntimeError.
    """
    found = load_newest(folder, group, divided) if folder is not None else None
    if found is None:
        return
    try:
        take(*found)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RecordError(f"{folder} does not fit the run ({error}). Remove it to start from the beginning.") from None


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """All that a network is: its parameters and buffers, what two layers share once; this process's part of what is divided."""
    return {name: part.detach() for name, part in parts_of(network).items()}


def parts_of(network: nn.Module) -> dict[str, Tensor]:
    """``weights_of`` as ``optim.parts`` knows them."""
    kept = network.state_dict(keep_vars=True)
    once = {id(tensor): name for name, tensor in reversed(kept.items())}
    return {name: part_of(kept[name]) for name in reversed(once.values())}


def copied(network: nn.Module) -> dict[str, Tensor]:
    """A copy of ``weights_of``, which training does not move."""
    return {name: value.clone() for name, value in weights_of(network).items()}


def digest(network: nn.Module) -> str:
    """Of all that a network is, which differs where a bit does."""
    return _checksum({name: value.cpu().contiguous() for name, value in weights_of(network).items()}, {})


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
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def load_arrays(folder: Path | None) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
    """The newest checkpoint's arrays and state, or None where there is none.

    Raises:
        RecordError: it is damaged.
    """
    return None if folder is None else _of_newest(folder, _whole, "np")


def search_in(folder: Path | None) -> dict[str, Any] | None:
    """What the search for a learning rate had found when the newest checkpoint was written; None where there is none."""
    return None if folder is None else _of_newest(folder, lambda file, state: state.get("search"))


def remove(folder: Path) -> None:
    """Remove all checkpoints, what a crash left of one, and the plan beside them."""
    for path in [*folder.glob(f"{NEWEST}*"), *folder.glob("step-*"), *folder.glob("plan.json*")]:
        _remove(path)
    with contextlib.suppress(OSError):  # it is not there, or something else is in it
        folder.rmdir()
