"""SIGKILL at random moments of fits of every family, each gone on with: ``reliability.py [KILLS [SEED [JOB …]]]``,
kills of each family or of the jobs named.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "LOSSWORKS_THREADS", "POLARS_MAX_THREADS"):
    os.environ[name] = "1"  # a process that has threads cannot be forked

import _bench  # noqa: E402
import _killed  # noqa: E402

for module in (
    "torch._dynamo",
    "lossworks.api.fit",
    "lossworks.models.networks",
    "lossworks.report",
    "lossworks.api.compare",
    "lossworks.api.prepare",
):
    importlib.import_module(module)


def main() -> None:
    """Print a row for each family."""
    given = [int(number) for number in sys.argv[1:3]]
    kills, seed = given + [100, 0][len(given) :]
    _bench.machine()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for job in sys.argv[3:] or _killed.JOBS:
            began = time.perf_counter()
            found = _killed.killed(job, kills, random.Random(seed), Path(scratch))
            rows.append((job, *(found[name] for name in ("kills", "runs", "lost", "mixed")), time.perf_counter() - began))
            print(rows[-1], file=sys.stderr, flush=True)
    _bench.table(("family", "kills", "runs brought to their ends", "lost", "mixed", "seconds"), rows)


if __name__ == "__main__":
    main()
