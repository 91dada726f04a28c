"""Who writes a checkpoint, and when: one process a file, several a folder; at once, or while training goes on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from . import checkpoint
from .distributed import World


@dataclass(slots=True)
class Saving:
    """Writes the checkpoints of ``world``, one at a time; ``in_background`` from a copy, in a thread of its own."""

    world: World
    in_background: bool = False
    _group: Any = None
    _thread: ThreadPoolExecutor | None = field(default=None)
    _latest: Future[None] | None = None

    @property
    def group(self) -> Any:
        """The processes that write together, apart from what they say to one another for training; None: this one alone."""
        if self.world.size > 1 and self._group is None:
            self._group = distributed.new_group(backend="gloo")
        return self._group

    def save(
        self, folder: Path, step: int, tensors: dict[str, Tensor], sizes: Mapping[str, torch.Size], state: dict[str, Any]
    ) -> None:
        """Write the checkpoint of ``step``; ``sizes`` as of ``Parted.save``.

        Raises:
            RecordError: the place cannot be written, now or for the checkpoint before.
        """
        self.wait()
        if self.in_background:
            tensors = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
        if self.group is None:
            write = partial(checkpoint.save, folder, step, tensors, state)
        else:
            from .parted import Parted  # slow to import, and most runs have one process

            write = partial(Parted(folder, self.group).save, step, tensors, sizes, state)
        if not self.in_background:
            write()
            return
        self._thread = self._thread or ThreadPoolExecutor(1, "lossworks-checkpoint")
        self._latest = self._thread.submit(write)

    def wait(self) -> None:
        """Until the latest checkpoint is on the disk.

        Raises:
            RecordError: it could not be written.
        """
        if self._latest is not None:
            latest, self._latest = self._latest, None
            latest.result()
