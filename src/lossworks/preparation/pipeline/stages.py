"""The stages in their order, and a process that does what tasks it can get."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...core.errors import RecordError
from ...data.formats.prepared import MANIFEST
from ...record.files import make_folder
from ...record.locks import locked
from . import chunks, duplicates, manifest, shards, tokenizing
from .job import Job
from .layout import Layout

Tell = Callable[[str, int, int], None]
"""Is told of a stage, how many of its tasks are finished, and how many there are."""
_PATIENCE = 0.2  # seconds between looks at what others are at


@dataclass(frozen=True, slots=True)
class Stage:
    """Tasks that depend on those of earlier stages alone. Each writes files, at last its output, by which it is known to be
    done.
    """

    name: str
    act: Callable[[int, Path], None]
    outputs: list[Path]

    def perform(self, job: Job, number: int) -> bool:
        """Do a task that is not done, unless another process is at it; whether it is done now."""
        output = self.outputs[number]
        if output.exists():
            return True
        make_folder(output.parent)
        with locked(job.lock(f"{self.name}-{number}")) as ours:
            if ours and not output.exists():
                self.act(number, output)
        return ours  # else whoever is at it may yet be killed


def stages(job: Job) -> Iterator[Stage]:
    """Each stage, once all before it are done."""
    wanted = job.wanted

    def stage(name: str, act: Any, count: int, kind: str = "safetensors") -> Stage:
        return Stage(name, act, [job.work / name / f"{number:05}.{kind}" for number in range(count)])

    if job.against:
        yield stage("against", partial(chunks.read_against, job), 1)
    yield stage("read", partial(chunks.read_piece, job), len(job.pieces), "json")
    layout = Layout.of(job)
    windows = len(layout.windows)
    if wanted.exact:
        yield stage("exact", partial(duplicates.exact, layout), job.ranges)
        yield stage("unique", partial(duplicates.unique, layout), 1)
    if wanted.near is not None:
        yield stage("pairs", partial(duplicates.pairs, layout), job.ranges)
        yield stage("compared", partial(duplicates.compared, layout), windows)
    yield stage("decide", partial(duplicates.decided, layout), 1)
    yield stage("write", partial(shards.write, layout), windows, "json")
    if wanted.tokenizer:
        yield stage("learn", partial(tokenizing.learn, layout), 1, "json")
        yield stage("tokens", partial(tokenizing.tokenize, layout), windows, "json")
    yield Stage("finish", partial(manifest.finish, layout), [job.out / MANIFEST])


def work_through(job: Job, tell: Tell = lambda stage, done, of: None) -> None:
    """Do all tasks that no other process does, and wait for those that one does, until the preparation is finished.

    Raises:
        DataError: a source cannot be read, has bad rows, or has changed. RecordError: something cannot be written.
    """
    try:
        for stage in stages(job):
            left, of = list(range(len(stage.outputs))), len(stage.outputs)
            while left:
                undone = list[int]()
                for place, number in enumerate(left):
                    if not stage.perform(job, number):
                        undone.append(number)
                    undone = [each for each in undone if not stage.outputs[each].exists()]  # meanwhile others have done some
                    tell(stage.name, of - len(left) + place + 1 - len(undone), of)
                if len(undone) == len(left):
                    time.sleep(_PATIENCE)
                left = undone
    except (RecordError, OSError):
        if not (job.out / MANIFEST).exists():  # else another process has finished, and tidied up
            raise
    shutil.rmtree(job.work, ignore_errors=True)
