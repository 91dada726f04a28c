"""Workers of Dask distributed, on as many machines as share the folder. Only the folder's name and numbers go to them: all that
is large is in files, and who does a task twice finds it done.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from ....core.errors import NotInstalled, UsageError
from ..job import Job
from ..stages import Tell, stages, work_through


def run(job: Job, scheduler: str, tell: Tell) -> None:
    """Finish a preparation on the workers of a scheduler, by its address as it shows it.

    Raises:
        NotInstalled: Dask distributed is missing.
        UsageError: no scheduler answers there.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise NotInstalled('--dask needs Dask distributed: pip install "lossworks[dask]".') from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {scheduler}: no scheduler answers ({error}). `dask scheduler` shows its address.") from None
    with client:
        for stage in stages(job):
            left = [number for number, output in enumerate(stage.outputs) if not output.exists()]
            asked = [client.submit(perform, os.fspath(job.out.resolve()), stage.name, number, pure=False) for number in left]
            for done, future in enumerate(as_completed(asked), 1):
                future.result()
                tell(stage.name, len(stage.outputs) - len(left) + done, len(stage.outputs))
    work_through(job)  # finds all done, and tidies up


def perform(out: str, name: str, number: int) -> None:
    """Do one task, or wait for whoever is at it."""
    job = Job.open(Path(out))
    stage = next(stage for stage in stages(job) if stage.name == name)
    while not stage.perform(job, number):
        time.sleep(0.2)
