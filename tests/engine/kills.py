"""Worlds of processes that write tiny checkpoints until one of them is killed, at any of its writes; what is then loaded.

As a program: ``kills.py KILLS [SEED [in_place]]`` prints what came of them as JSON. With ``in_place`` checkpoints are written as
DCP does by itself, each over the one before. The worlds are forked, so nothing here starts a thread before.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # once, rather than in every process
from torch import Tensor, distributed
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint import filesystem

from lossworks.core.errors import RecordError
from lossworks.engine import checkpoint, parted
from lossworks.engine.distributed import World
from lossworks.engine.saving import Saving
from lossworks.optim.parts import chunk

SIZES = {"part.table": torch.Size((7, 3)), "part.row": torch.Size((1, 2))}  # the latter is nothing on all but one process
_GRACE = 5.0  # seconds in which those who are left find out that one is gone
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")


def whole(step: int) -> dict[str, Tensor]:
    """All of the checkpoint of a step: no number is in that of another."""
    made = {name: torch.arange(size.numel(), dtype=torch.float64).view(size) + 100 * step for name, size in SIZES.items()}
    return made | {"same.vector": torch.full((5,), float(step)), "same.number": torch.tensor(step)}


def part(tensors: dict[str, Tensor], rank: int, size: int) -> dict[str, Tensor]:
    """What one process has of it."""
    return {name: chunk(value, rank, size) if name in SIZES else value for name, value in tensors.items()}


@dataclass
class Killer:
    """Kills this process at the write number ``at`` in ``folder``; 0: never."""

    folder: Path
    at: int
    seen: int = 0

    def __call__(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Look at every file that is opened, made, renamed or removed, at every write of a part, and at every fsync."""

        def look(event: str, arguments: tuple[Any, ...]) -> None:
            if event in EVENTS and str(arguments[0]).startswith(str(self.folder)):
                self()

        sync, stream = os.fsync, filesystem.FileSystem.create_stream

        def synced(file: int) -> None:
            self()
            sync(file)

        @contextlib.contextmanager
        def cut(own: Any, path: Any, mode: str) -> Iterator[Any]:
            with stream(own, path, mode) as file:
                write = file.write

                def half(data: Any) -> int:
                    self.seen += 1
                    if self.seen == self.at:
                        write(bytes(data)[: len(data) // 2])
                        file.flush()
                        os.kill(os.getpid(), signal.SIGKILL)
                    return int(write(data))

                yield _Stream(file, half) if "w" in mode else file

        sys.addaudithook(look)
        os.fsync, filesystem.FileSystem.create_stream = synced, cut  # type: ignore[method-assign, assignment]


@dataclass
class _Stream:
    """A file whose writes are seen."""

    file: Any
    write: Callable[[Any], int]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def process(folder: Path, rank: int, size: int, steps: int, *, background: bool, at: int, in_place: bool) -> None:
    """One process of a world: loads the newest checkpoint, then writes ``steps`` more; its writes are counted from then on."""
    store = distributed.FileStore(str(folder.parent / "store"), size)  # type: ignore[call-arg]
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=20))
    saving, killer = Saving(World(rank, size), in_background=background), Killer(folder, at)
    done = folder.parent / "done"
    step = (int(done.read_text()) + 9 if done.exists() else 0) if in_place else loaded(folder, saving.group, rank, size)
    distributed.barrier()
    killer.arm()
    for now in range(step + 1, step + 1 + steps):
        mine = part(whole(now), rank, size)
        if in_place:
            parts = {n: parted.Parted(folder, distributed.group.WORLD)._part(t, SIZES.get(n)) for n, t in mine.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dcp.save(parts, storage_writer=dcp.FileSystemWriter(folder))
        else:
            saving.save(folder, now, mine, {name: SIZES[name] for name in SIZES}, {"step": now})
            saving.wait()
        if rank == 0:  # in one step: the next moment may be its last
            done.with_suffix(".part").write_text(str(now))
            done.with_suffix(".part").replace(done)
    (folder.parent / f"seen-{rank}").write_text(str(killer.seen))


def loaded(folder: Path, group: Any, rank: int, size: int) -> int:
    """The step of the newest checkpoint, which must be that step's to the last number; 0 where there is none."""
    found = checkpoint.load_newest(folder, group, lambda name, saved: group is not None and name in SIZES)
    return 0 if found is None else _step(found[0], found[1]["step"], rank, size)


def loaded_in_place(folder: Path) -> int:
    """The same of what DCP wrote by itself."""
    tensors = {name: torch.empty_like(value) for name, value in whole(0).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(tensors, storage_reader=dcp.FileSystemReader(folder), no_dist=True)
    return _step(tensors, int(tensors["same.number"]), 0, 1)


def _step(tensors: dict[str, Tensor], step: int, rank: int, size: int) -> int:
    wanted = part(whole(step), rank, size)
    if any(not torch.equal(tensors[name], wanted[name]) for name in wanted):
        raise ArithmeticError(f"a mix of steps: {tensors}")
    return step


def world(folder: Path, size: int, steps: int, *, background: bool, victim: int, at: int, in_place: bool = False) -> bool:
    """Let a world run; whether its ``victim`` was killed. Negative ``at``: after so many milliseconds.

    Raises:
        ChildProcessError: a process that was not to be killed ended in another way than by the loss of the victim.
    """
    (folder.parent / "store").unlink(missing_ok=True)
    children: list[int] = []
    for rank in range(size):
        child = os.fork()
        if not child:
            code = 1
            try:
                mine = at if rank == victim else 0
                process(folder, rank, size, steps, background=background, at=max(0, mine), in_place=in_place)
                code = 0
            except BaseException as error:  # noqa: BLE001 - the world says what it was
                code = 3 if isinstance(error, ArithmeticError) else 2
                (folder.parent / f"error-{rank}").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        children.append(child)
    if at < 0:
        time.sleep(-at / 1000)
        os.kill(children[victim], signal.SIGKILL)
    ends = _ended(children, victim)
    killed = os.WIFSIGNALED(ends[victim])
    for rank, end in enumerate(ends):
        if os.WEXITSTATUS(end) == 3 or (end and not killed):
            raise ChildProcessError((folder.parent / f"error-{rank}").read_text())
    return killed


def _ended(children: list[int], victim: int) -> list[int]:
    """How each has ended. Some seconds after the victim was killed, the others are too, as torchrun does it."""
    ends = {victim: os.waitpid(children[victim], 0)[1]}
    late = time.monotonic() + _GRACE
    for rank in (rank for rank in range(len(children)) if rank != victim):
        while os.WIFSIGNALED(ends[victim]) and time.monotonic() < late:
            child, end = os.waitpid(children[rank], os.WNOHANG)
            if child:
                ends[rank] = end
                break
            time.sleep(0.01)
        else:
            if os.WIFSIGNALED(ends[victim]):
                os.kill(children[rank], signal.SIGKILL)
            ends[rank] = os.waitpid(children[rank], 0)[1]
    return [ends[rank] for rank in range(len(children))]


def main(kills: int, seed: int = 0, *, in_place: bool = False) -> dict[str, int]:
    """What came of so many kills in worlds of 2 to 4 processes: ``whole``, ``lost`` (nothing, or an older step), ``mixed``."""
    draw, found = random.Random(seed), Counter[str](whole=0, lost=0, mixed=0, processes=0, background=0, worlds=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoints"
        done = folder.parent / "done"
        while found["whole"] + found["lost"] + found["mixed"] < kills:
            if not folder.exists():
                folder.mkdir()
                world(folder, 2, 1, background=False, victim=0, at=0, in_place=in_place)
            size, background = draw.choice((2, 3, 4)), draw.random() < 0.5 and not in_place
            victim = draw.choice((0, draw.randrange(size)))
            last = 216 if victim == 0 else 164  # writes of two checkpoints, about
            at = -draw.randrange(50, 600) if draw.random() < 0.2 else draw.randrange(1, last)
            found["worlds"] += 1
            if found["worlds"] % 50 == 0:
                sys.stderr.write(json.dumps(found) + "\n")
            if not world(folder, size, 2, background=background, victim=victim, at=at, in_place=in_place):
                continue
            found["processes"] += size
            found["background"] += background
            try:
                step = loaded_in_place(folder) if in_place else loaded(folder, None, 0, 1)
                found["whole" if in_place or step >= int(done.read_text()) else "lost"] += 1
            except ArithmeticError:
                found["mixed"] += 1
            except (RecordError, dcp.api.CheckpointException, OSError, RuntimeError):
                found["lost"] += 1
                shutil.rmtree(folder)
    return dict(found)


if __name__ == "__main__":
    began = time.perf_counter()
    counts = main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, in_place="in_place" in sys.argv)
    sys.stdout.write(json.dumps({**counts, "seconds": time.perf_counter() - began}) + "\n")
