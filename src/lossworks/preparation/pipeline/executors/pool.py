"""Processes of this machine: each does what tasks it can get, so one that is killed is missed by nobody."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

from ....core.errors import LossworksError
from ....core.threads import at_most, available
from ..job import Job
from ..stages import Tell, work_through


def run(job: Job, workers: int, tell: Tell) -> None:
    """Finish a preparation in this process and ``workers`` − 1 more. An error that one meets, this one meets too, and raises."""
    context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks as they happen to be
    others = [context.Process(target=_help, args=(job.out, os.getpid()), daemon=True) for _ in range(workers - 1)]
    try:
        with at_most(max(1, available() // workers)):
            for other in others:
                other.start()
            work_through(job, tell)
    finally:
        for other in others:
            if other.pid is not None:
                other.terminate()
                other.join()


def _help(out: Path, parent: int) -> None:
    def tell(stage: str, done: int, of: int) -> None:
        if os.getppid() != parent:  # it was killed; whoever goes on begins processes of its own
            raise SystemExit

    try:
        work_through(Job.open(out), tell)
    except LossworksError:
        return
