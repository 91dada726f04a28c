"""Disks that become full under every verb that writes: ``full.py [GROWTH [JOB…]]``, each disk so much larger."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOSSWORKS_THREADS", "POLARS_MAX_THREADS"):
    os.environ[name] = "1"  # a process that has threads cannot be forked

import _bench  # noqa: E402
import _full  # noqa: E402

for module in ("torch._dynamo", "lossworks.api.fit", "lossworks.models.networks", "lossworks.report", "lossworks.api.compare"):
    importlib.import_module(module)


def main() -> None:
    """Print a row for each job."""
    growth = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    _bench.machine()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        _full.write_inputs(Path(scratch))
        for job in sys.argv[2:] or _full.JOBS:
            try:
                found = _full.filled(job, Path(scratch), growth, lambda text: print(text, file=sys.stderr, flush=True))
            except ChildProcessError as error:  # the others are run all the same
                print(error, file=sys.stderr, flush=True)
                continue
            rows.append((job, *found.values()))
            print(rows[-1], file=sys.stderr, flush=True)
    _bench.table(("command", "full disks", "unclear", "torn", "stuck"), rows)


if __name__ == "__main__":
    main()
