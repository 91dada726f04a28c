"""Checkpoints of several processes, each writing its part at once, by PyTorch's distributed checkpoints (DCP).

Written over an older one, such a checkpoint that is cut short loads as a mix of two steps. So each has a folder of its own.
Its manifest, with the checksums of all parts, is written when they are on the disk; then ``newest.json`` is renamed to name
the folder; then older ones are removed. Whenever a process is killed, ``newest.json`` names a whole checkpoint of one step.

What is divided among the processes (``sizes``, ``divided``) is so along its first axis, as FSDP2 does it. DCP reads for each
process what it has a part of, however many have written.
"""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load as dcp_load
from torch.distributed.checkpoint.state_dict_saver import save as dcp_save
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor import empty as empty_divided

from ..core.errors import RecordError
from ..record import write_json
from ..record.checksums import checksum
from ..record.files import unwritable
from .checkpoint import NEWEST, damaged, remove_others

T = TypeVar("T")
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Parted:
    """The checkpoints in ``folder`` of the processes of ``group``, which all call alike; None: of this one alone."""

    folder: Path
    group: Any = None

    def save(self, step: int, tensors: Mapping[str, Tensor], sizes: Mapping[str, torch.Size], state: dict[str, Any]) -> None:
        """Write the checkpoint of ``step``, then remove those before it.

        Args:
            tensors: of this process; what is not divided is the same in all, and written by one of them.
            sizes: the whole shape of each that is divided.
            state: plain values; the first process's are written.

        Raises:
            RecordError: a process cannot write, which then all say.
        """
        path = self._new(step)
        try:
            manifest = {"step": step, "state": state, "files": self._written(path, tensors, sizes)}
            self._first(lambda: write_json(path / MANIFEST, manifest))
        except BaseException:  # from here on it may be the newest, and is left where it is whatever happens
            if self._rank == 0:
                shutil.rmtree(path, ignore_errors=True)
            raise
        self._first(lambda: write_json(self.folder / NEWEST, {"folder": path.name, "manifest": checksum(path / MANIFEST)}))
        self._first(lambda: remove_others(self.folder, path))

    def load(self, divided: Callable[[str, torch.Size], bool] = lambda name, size: False) -> tuple[dict[str, Tensor], Any] | None:
        """The newest checkpoint's tensors, of what is ``divided`` this process's part, and its state; None where there is none.

        Raises:
            RecordError: it is damaged.
        """
        if (path := newest(self.folder)) is None:
            return None
        manifest = manifest_of(path)
        names = sorted(manifest["files"])[self._rank :: self._size]
        self._agreed(lambda: _check_all(path, {name: manifest["files"][name] for name in names}))
        saved = _Reader(path).read_metadata().state_dict_metadata
        tensors = {name: self._room(name, entry, divided) for name, entry in saved.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            how: dict[str, Any] = {"storage_reader": _Reader(path), "process_group": self.group, "no_dist": self.group is None}
            try:
                dcp_load(tensors, **how)
            except CheckpointException as error:
                raise damaged(path, _cause(error)) from None
        return {name: _local(value) for name, value in tensors.items()}, manifest["state"]

    @property
    def _rank(self) -> int:
        return 0 if self.group is None else distributed.get_rank(self.group)

    @property
    def _size(self) -> int:
        return 1 if self.group is None else distributed.get_world_size(self.group)

    def _new(self, step: int) -> Path:
        """A folder that is not there yet, made by the first process."""

        def make() -> str:
            number = 0
            while (path := self.folder / f"step-{step:012d}-{number}").exists():
                number += 1  # what a crash has left
            try:
                path.mkdir(parents=True)
            except OSError as error:
                raise unwritable(path, error) from error
            return path.name

        return self.folder / self._first(make)

    def _written(self, path: Path, tensors: Mapping[str, Tensor], sizes: Mapping[str, torch.Size]) -> dict[str, str]:
        """Write all parts. Returns the checksums of the files."""
        parts = {name: self._part(value.detach().cpu(), sizes.get(name)) for name, value in tensors.items()}
        writer = FileSystemWriter(path, overwrite=False)
        try:
            dcp_save(parts, storage_writer=writer, process_group=self.group)
        except CheckpointException as error:
            raise unwritable(path, _cause(error)) from None
        mine = [*path.glob(f"__{self._rank}_*"), *([] if self._rank else [path / ".metadata"])]
        found = self._agreed(lambda: {each.name: checksum(each) for each in mine})
        return {name: value for each in found for name, value in each.items()}

    def _part(self, value: Tensor, size: torch.Size | None) -> Tensor:
        if size is None:
            return value.contiguous()
        strides = torch.empty(size, device="meta").stride()
        mesh = DeviceMesh.from_group(self.group, "cpu")
        return DTensor.from_local(value.contiguous(), mesh, [Shard(0)], run_check=False, shape=size, stride=strides)

    def _room(self, name: str, saved: Any, divided: Callable[[str, torch.Size], bool]) -> Tensor:
        """Room for a tensor, or this process's part of it."""
        if not isinstance(saved, TensorStorageMetadata):
            raise damaged(self.folder, f"{name} is no tensor")
        dtype = saved.properties.dtype
        if not divided(name, saved.size):
            return torch.empty(saved.size, dtype=dtype)
        mesh = DeviceMesh.from_group(self.group, "cpu")
        return empty_divided(saved.size, dtype=dtype, device_mesh=mesh, placements=[Shard(0)])

    def _first(self, work: Callable[[], T]) -> T:
        """What ``work`` gives in the first process, where alone it is done."""
        return self._agreed(work if self._rank == 0 else lambda: None)[0]  # type: ignore[return-value]

    def _agreed(self, work: Callable[[], T]) -> list[T]:
        """What ``work`` gives in each process; where it raises an error in one, all raise it."""
        found: Any = None
        try:
            found = work()
        except RecordError as error:
            found = error
        everywhere = [found]
        if self.group is not None:
            everywhere = [None] * self._size
            distributed.all_gather_object(everywhere, found, group=self.group)
        if errors := [each for each in everywhere if isinstance(each, RecordError)]:
            raise errors[0]
        return everywhere


def step_of(folder: Path) -> int:
    """The step of the newest checkpoint in parts.

    Raises:
        RecordError: it is damaged.
    """
    path = newest(folder)
    return -1 if path is None else int(manifest_of(path)["step"])


def newest(folder: Path) -> Path | None:
    """The newest checkpoint in parts; None where there is none.

    Raises:
        RecordError: it is damaged, or missing.
    """
    try:
        named = json.loads((folder / NEWEST).read_bytes())
        path = folder / str(named["folder"])
        _check_all(path, {MANIFEST: named["manifest"]})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder / NEWEST, error) from None
    return path


def manifest_of(path: Path) -> dict[str, Any]:
    """What ``Parted.save`` noted of a checkpoint: its ``step``, its ``state``, and the checksums of its ``files``."""
    try:
        manifest: dict[str, Any] = json.loads((path / MANIFEST).read_bytes())
        return {key: manifest[key] for key in ("step", "state", "files")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from None


def _check_all(folder: Path, saved: Mapping[str, str]) -> None:
    for path, wanted in ((folder / name, wanted) for name, wanted in saved.items()):
        if not path.exists() or checksum(path) != wanted:
            raise damaged(path, "its checksum is another" if path.exists() else "it is missing")


def _cause(error: CheckpointException) -> Exception:
    """The error of the first process that had one."""
    return next(iter(error.failures.values()))[0]  # type: ignore[return-value]


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


class _Reader(FileSystemReader):
    """DCP describes a checkpoint by pickle; of what can stand in a pickle, this reads nothing but descriptions."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        path = Path(self.path) / ".metadata"
        try:
            with path.open("rb") as file:
                found: Metadata = _Unpickler(file).load()
        except (
            OSError,
            pickle.UnpicklingError,
            EOFError,
            ImportError,
            AttributeError,
            LookupError,
            ValueError,
            TypeError,
        ) as error:
            raise damaged(path, error) from None
        return found


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name in _NAMES.get(module, ()) or (module == "torch" and isinstance(getattr(torch, name, None), torch.dtype)):
            return super().find_class(module.removesuffix("._local"), name)  # 3.13 writes what others read
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a checkpoint")


_METADATA = "Metadata TensorStorageMetadata TensorProperties ChunkStorageMetadata MetadataIndex StorageMeta _MEM_FORMAT_ENCODING"
_NAMES = {
    "torch.distributed.checkpoint.metadata": _METADATA.split(),
    "torch.distributed.checkpoint.filesystem": ["_StorageInfo"],
    "torch.serialization": ["_get_layout"],
    "torch": ["Size"],
    "pathlib": ["PosixPath", "WindowsPath"],
    "pathlib._local": ["PosixPath", "WindowsPath"],
}
